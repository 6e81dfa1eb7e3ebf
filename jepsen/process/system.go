package process

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// System is what the processes of a cluster run: Quorate, or another server that speaks the Redis Cluster protocol.
type System interface {
	// Args is the command line of node i, the program first.
	Args(c *Cluster, i int) []string
	// Form makes a cluster of processes that have just been started, if they do not do that by themselves.
	Form(ctx context.Context, c *Cluster) error
	// Ready says what a running node lacks to serve; nil if nothing.
	Ready(ctx context.Context, n *Node) error
}

// Quorate is `quorate server`; it finds the others by itself.
type Quorate struct{}

// Args implements System.
func (Quorate) Args(c *Cluster, i int) []string {
	n, o := c.nodes[i], c.opts
	var join []string
	for _, other := range c.nodes[:o.Nodes] {
		join = append(join, other.Peer())
	}
	args := []string{o.Binary, "server", "--name", n.Name(), "--data-dir", n.Data(), "--listen", n.Addr(), "--peer-listen", n.Peer(),
		"--join", strings.Join(join, ",")}
	if i < o.Nodes {
		args = append(args, "--bootstrap-expect", strconv.Itoa(o.Nodes))
	}
	if o.Net != nil {
		// The wire is private to this machine, but it is not loopback.
		args = append(args, "--insecure-peers", "--protected-mode=false")
	}
	if o.Faults {
		args = append(args, "--test-faults", n.faults())
	}
	args = append(args, o.Flags...)
	if o.NodeFlags != nil {
		args = append(args, o.NodeFlags(i)...)
	}
	return args
}

// Form implements System.
func (Quorate) Form(context.Context, *Cluster) error { return nil }

// Ready implements System.
func (Quorate) Ready(ctx context.Context, n *Node) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.HTTP()+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: /readyz says %s", n.Addr(), resp.Status)
	}
	return nil
}

// readyNode asks for at most a second.
func (c *Cluster) readyNode(ctx context.Context, n *Node) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return c.system.Ready(ctx, n)
}

// Name is what the node is called, node1 for the first one.
func (n *Node) Name() string { return fmt.Sprintf("node%d", n.index+1) }

// Data is the node's data folder.
func (n *Node) Data() string { return filepath.Join(n.dir, n.Name()) }

// Addr is the client address.
func (n *Node) Addr() string { return net.JoinHostPort(n.host, strconv.Itoa(n.port)) }

// Peer is the address for the other nodes.
func (n *Node) Peer() string { return net.JoinHostPort(n.peerHost, strconv.Itoa(n.port+10000)) }

// HTTP is the base URL of the operator's port.
func (n *Node) HTTP() string { return fmt.Sprintf("http://%s:%d", n.host, n.port+1000) }

// Index is the node's place in the cluster, from 0.
func (n *Node) Index() int { return n.index }

// Log is the path of the file that holds all the node's processes wrote.
func (n *Node) Log() string { return n.Data() + ".log" }

func (n *Node) faults() string { return n.Data() + ".faults" }
