package node

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
)

// identity describes this node as others will know it. client and peer are the addresses that were really bound.
func identity(c config.Config, id topology.NodeID, client, peer net.Addr) (topology.Node, error) {
	n := topology.Node{ID: id, Name: c.Name, Zone: c.Zone, Weight: 100, Client: c.Announce, Peer: c.PeerAnnounce}
	if n.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return n, fmt.Errorf("name: %w; set --name", err)
		}
		n.Name = host
	}
	var err error
	if n.Client == "" {
		if n.Client, err = reachable(client); err != nil {
			return n, fmt.Errorf("announce: %w", err)
		}
	}
	if n.Peer == "" {
		host, _, _ := net.SplitHostPort(n.Client)
		_, port, _ := net.SplitHostPort(peer.String())
		n.Peer = net.JoinHostPort(host, port)
		if bound := peer.(*net.TCPAddr); c.Announce == "" && !bound.IP.IsUnspecified() {
			n.Peer = bound.String()
		}
	}
	return n, nil
}

// reachable turns a bound address into one that others can connect to: a wildcard becomes this host's first global
// unicast address.
func reachable(a net.Addr) (string, error) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return "", fmt.Errorf("%s is no TCP address", a)
	}
	if !tcp.IP.IsUnspecified() {
		return tcp.String(), nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() && (ip.IP.To4() != nil) == (tcp.IP.To4() != nil) {
			return (&net.TCPAddr{IP: ip.IP, Port: tcp.Port}).String(), nil
		}
	}
	return "", errors.New("this host has no address that other hosts can reach; set --announce")
}
