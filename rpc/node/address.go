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
		if n.Client, err = reachable(c.Listen, client, net.InterfaceAddrs); err != nil {
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

// reachable turns a bound address into one that others can connect to: a wildcard becomes one of this host's global unicast
// addresses, IPv4 first. listen is the address as configured: 0.0.0.0 means IPv4, though Go binds it as it binds [::].
func reachable(listen string, bound net.Addr, interfaces func() ([]net.Addr, error)) (string, error) {
	tcp, ok := bound.(*net.TCPAddr)
	if !ok {
		return "", fmt.Errorf("%s is no TCP address", bound)
	}
	if !tcp.IP.IsUnspecified() {
		return tcp.String(), nil
	}
	addrs, err := interfaces()
	if err != nil {
		return "", err
	}
	host, _, _ := net.SplitHostPort(listen)
	wildcard := net.ParseIP(host)
	for _, v4 := range []bool{true, false} {
		if wildcard != nil && v4 != (wildcard.To4() != nil) {
			continue
		}
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() && (ip.IP.To4() != nil) == v4 {
				return (&net.TCPAddr{IP: ip.IP, Port: tcp.Port}).String(), nil
			}
		}
	}
	return "", errors.New("this host has no address that other hosts can reach; set --announce")
}
