package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/quorate/quorate/rpc/node/config"
)

// LocalOptions describe a cluster inside this process.
type LocalOptions struct {
	// Options are every node's; DataDir, Name, Join and the addresses of its Config are set per node.
	Options
	// Dir holds a folder per node.
	Dir string
	// Nodes listen at 127.0.0.1:Port, Port+1, …
	Nodes, Port int
	// Each, if set, changes the configuration of node i.
	Each func(i int, c *config.Config)
}

// Local is a cluster inside this process: for trying Quorate out and for tests.
type Local struct {
	nodes []*Node
}

// StartLocal starts all nodes. They form a cluster by themselves, or continue the one in Dir.
func StartLocal(o LocalOptions) (*Local, error) {
	if o.Nodes < 1 || o.Nodes > 16 {
		return nil, fmt.Errorf("nodes: %d: want 1 to 16 in one process", o.Nodes)
	}
	if o.Port < 1 || o.Port+10000+o.Nodes > 65536 {
		return nil, fmt.Errorf("port: %d: want 1 to %d, because peers use the port plus 10000", o.Port, 65536-10000-o.Nodes)
	}
	l := &Local{}
	var peers []string
	for i := range o.Nodes {
		peers = append(peers, net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port+10000+i)))
	}
	for i := range o.Nodes {
		opts := o.Options
		c := &opts.Config
		c.Name = fmt.Sprintf("node%d", i+1)
		c.DataDir = filepath.Join(o.Dir, c.Name)
		c.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port+i))
		c.Announce, c.PeerListen, c.PeerAnnounce = "", "", ""
		if c.HTTPListen != "off" {
			c.HTTPListen = ""
		}
		c.Join, c.BootstrapExpect = peers, o.Nodes
		if o.Each != nil {
			o.Each(i, c)
		}
		n, err := Start(opts)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", c.Name, err), l.Stop(context.Background()))
		}
		l.nodes = append(l.nodes, n)
	}
	return l, nil
}

// Nodes are the cluster's nodes, by port.
func (l *Local) Nodes() []*Node { return l.nodes }

// Addrs are the nodes' client addresses.
func (l *Local) Addrs() (out []string) {
	for _, n := range l.nodes {
		out = append(out, n.self.Client)
	}
	return out
}

// Ready waits until every node serves and knows the leader of every group.
func (l *Local) Ready(ctx context.Context) error {
	for _, n := range l.nodes {
		if err := n.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop stops all nodes at once. Leadership is not handed around among nodes that all stop.
func (l *Local) Stop(ctx context.Context) error {
	for _, n := range l.nodes {
		n.stopping.Store(true)
	}
	errs := make([]error, len(l.nodes))
	var wg sync.WaitGroup
	for i, n := range l.nodes {
		wg.Go(func() { errs[i] = n.shutDown(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
