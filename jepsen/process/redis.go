package process

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/client"
)

// Redis is a Redis Cluster of redis-server processes, formed by redis-cli. A node has one address, for clients and for
// the other nodes: in namespaces it is that on the wire, so that what cuts nodes off from each other leaves the clients alone.
type Redis struct {
	// Replicas is how many each master has; the number of nodes must be a multiple of 1 + Replicas.
	Replicas int
	// NodeTimeout is cluster-node-timeout: for how long a node may be silent before it is taken for dead.
	NodeTimeout time.Duration
}

// Args implements System.
func (r Redis) Args(c *Cluster, i int) []string {
	n := c.nodes[i]
	args := []string{"redis-server", "--port", strconv.Itoa(n.port), "--bind", n.host, "--dir", n.Data(), "--cluster-enabled", "yes",
		"--cluster-node-timeout", strconv.FormatInt(r.NodeTimeout.Milliseconds(), 10), "--protected-mode", "no",
		"--save", "", "--appendonly", "yes", "--appendfsync", "everysec"}
	return append(args, c.opts.Flags...)
}

// Form implements System: it joins the processes and waits until each has the data of its master.
func (r Redis) Form(ctx context.Context, c *Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, forming)
	defer cancel()
	for _, n := range c.Nodes() {
		if err := awaitReply(ctx, n, "PING", "PONG"); err != nil {
			return err
		}
	}
	create := append([]string{"--cluster", "create"}, c.Addrs()...)
	create = append(create, "--cluster-replicas", strconv.Itoa(r.Replicas), "--cluster-yes")
	if out, err := command(ctx, "redis-cli", create...).CombinedOutput(); err != nil {
		return fmt.Errorf("redis-cli --cluster create: %w\n%s", err, out)
	}
	return nil
}

// forming bounds how long it takes to make a cluster.
const forming = time.Minute

func awaitReply(ctx context.Context, n *Node, cmd string, wants ...string) error {
	for {
		err := asks(ctx, n, cmd, wants...)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Ready implements System: the node finds all slots served, and if it is a replica, it has its master's data.
func (r Redis) Ready(ctx context.Context, n *Node) error {
	if err := asks(ctx, n, "CLUSTER INFO", "cluster_state:ok"); err != nil {
		return err
	}
	return asks(ctx, n, "INFO replication", "master_link_status:up", "role:master")
}

// asks says that a node's answer holds none of wants.
func asks(ctx context.Context, n *Node, cmd string, wants ...string) error {
	c, err := client.Dial(ctx, n.Addr(), client.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	v, err := c.Do(ctx, strings.Fields(cmd)...)
	if err != nil {
		return err
	}
	for _, w := range wants {
		if strings.Contains(v.Str, w) {
			return nil
		}
	}
	return fmt.Errorf("%s answers %s with none of %q", n.Addr(), cmd, wants)
}

// hostOf is a node's address for clients. Redis has only the one that it tells its peers.
func hostOf(s System, net *Network, i int) string {
	if _, one := s.(Redis); one {
		return net.PeerHost(i)
	}
	return net.Host(i)
}
