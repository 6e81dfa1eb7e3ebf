package process

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
)

// Options describe a cluster of server processes.
type Options struct {
	// Binary is the quorate executable.
	Binary string
	// Dir holds the nodes' data folders (node1, node2, …) and logs (node1.log, …).
	Dir   string
	Nodes int
	// Port is the first client port; node i listens at Port+i (loopback) with peer port +10000 and HTTP port +1000.
	Port int
	// Flags go to every node, NodeFlags(i) to node i only.
	Flags     []string
	NodeFlags func(i int) []string
	// Net puts every node into a network namespace of its own; nil runs all on loopback.
	Net *Network
}

// Cluster is a set of server processes that this process started.
type Cluster struct {
	opts  Options
	nodes []*Node
}

// Start starts all nodes at once and returns without waiting until they serve.
func Start(o Options) (*Cluster, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	c := &Cluster{opts: o}
	for i := range o.Nodes {
		n := &Node{index: i, host: "127.0.0.1", port: o.Port + i, binary: o.Binary, dir: o.Dir}
		if o.Net != nil {
			n.host, n.port, n.namespace = o.Net.Host(i), o.Port, o.Net.Namespace(i)
		}
		c.nodes = append(c.nodes, n)
	}
	for i, n := range c.nodes {
		n.args = append([]string{
			"server", "--name", "node" + strconv.Itoa(i+1), "--data-dir", filepath.Join(o.Dir, "node"+strconv.Itoa(i+1)),
			"--listen", n.Addr(), "--bootstrap-expect", strconv.Itoa(o.Nodes), "--join", strings.Join(c.peers(), ","),
		}, o.Flags...)
		if o.NodeFlags != nil {
			n.args = append(n.args, o.NodeFlags(i)...)
		}
		if err := n.Start(); err != nil {
			c.Kill()
			return nil, err
		}
	}
	return c, nil
}

func (c *Cluster) peers() (out []string) {
	for _, n := range c.nodes {
		out = append(out, fmt.Sprintf("%s:%d", n.host, n.port+10000))
	}
	return out
}

// Nodes are the cluster's processes, by index.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Addrs are the client addresses of all nodes.
func (c *Cluster) Addrs() (out []string) {
	for _, n := range c.nodes {
		out = append(out, n.Addr())
	}
	return out
}

// Pids are the process ids of the nodes that run.
func (c *Cluster) Pids() (out []int) {
	for _, n := range c.nodes {
		if pid := n.Pid(); pid != 0 {
			out = append(out, pid)
		}
	}
	return out
}

// Network is what the nodes are connected by, nil on loopback.
func (c *Cluster) Network() *Network { return c.opts.Net }

// Close kills every process and removes the network.
func (c *Cluster) Close() {
	c.Kill()
	if c.opts.Net != nil {
		c.opts.Net.Close()
	}
}

// Kill ends every process with SIGKILL and waits for it.
func (c *Cluster) Kill() {
	for _, n := range c.nodes {
		n.Kill()
	}
}

// Stop ends every process with SIGTERM, all at once, and waits until they are gone.
func (c *Cluster) Stop(ctx context.Context) error {
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() { errs[i] = n.Terminate(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// WaitReady waits until every running node reports itself ready and the slots are fully owned.
func (c *Cluster) WaitReady(ctx context.Context) error {
	var last error
	for {
		if last = c.ready(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cluster is not ready: %w (logs in %s)", last, c.opts.Dir)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Cluster) ready(ctx context.Context) error {
	for _, n := range c.nodes {
		if n.Pid() == 0 {
			continue
		}
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := n.Exited(); err != nil {
		return err
	}
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

// LeaderOf returns the node that the cluster says owns the slot of key.
func (c *Cluster) LeaderOf(ctx context.Context, key string) (*Node, error) {
	cl := client.NewCluster(c.Addrs(), client.Options{Timeout: time.Second})
	defer cl.Close()
	if err := cl.Refresh(ctx); err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		if n.Addr() == cl.Owner(key) {
			return n, nil
		}
	}
	return nil, fmt.Errorf("slot %d belongs to %q, which is no node of this cluster", slot.Of([]byte(key)), cl.Owner(key))
}

// digestPatience bounds the wait for the replicas of one group to reach a common index.
const digestPatience = time.Minute

// SameDigests compares the replicas of every group at one index each, once all have answered.
func (c *Cluster) SameDigests(ctx context.Context) error {
	a, err := client.NewAdmin(ctx, c.Addrs(), client.Options{Timeout: digestPatience})
	if err != nil {
		return err
	}
	defer a.Close()
	s, err := a.Status(ctx)
	if err != nil {
		return err
	}
	for _, g := range s.Groups {
		d, err := a.Digests(ctx, g.ID)
		if err != nil {
			return fmt.Errorf("digests of group %d: %w", g.ID, err)
		}
		if err := client.SameDigests(d); err != nil {
			return err
		}
	}
	return nil
}

// Build compiles the quorate binary of this module into dir and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "quorate")
	cmd := command(ctx, "go", "build", "-o", path, "github.com/quorate/quorate/cmd/quorate")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build quorate: %w\n%s", err, out)
	}
	return path, os.Chmod(path, 0o755)
}
