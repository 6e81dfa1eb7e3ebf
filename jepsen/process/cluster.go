package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options describe a cluster of server processes.
type Options struct {
	// System is what they run; nil is Quorate.
	System System
	// Binary is the quorate executable.
	Binary string
	// Dir holds the nodes' data folders (node1, node2, …) and logs (node1.log, …).
	Dir string
	// Nodes form the cluster. Spares are more of them that are not started and know where to join.
	Nodes, Spares int
	// Port is the first client port; node i listens at Port+i (loopback) with peer port +10000 and HTTP port +1000.
	Port int
	// Flags go to every node, NodeFlags(i) to node i only.
	Flags     []string
	NodeFlags func(i int) []string
	// Net puts every node into a network namespace of its own; nil runs all on loopback. The cluster closes it.
	Net *Network
	// DiskBytes gives every node a file system of that size (root); 0 keeps all folders on Dir's.
	DiskBytes int64
	// Faults lets Node.Order hurt the nodes' clocks and disks.
	Faults bool
}

// Cluster is a set of server processes that this process started.
type Cluster struct {
	opts   Options
	system System
	nodes  []*Node
	disks  *disks
}

// Start starts all nodes at once and returns without waiting until they serve, unless the system must be formed.
func Start(ctx context.Context, o Options) (c *Cluster, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	c = &Cluster{opts: o, system: o.System}
	if c.system == nil {
		c.system = Quorate{}
	}
	for i := range o.Nodes + o.Spares {
		n := &Node{cluster: c, index: i, host: "127.0.0.1", peerHost: "127.0.0.1", port: o.Port + i, dir: o.Dir}
		if o.Net != nil {
			n.host, n.peerHost, n.port, n.namespace = hostOf(c.system, o.Net, i), o.Net.PeerHost(i), o.Port, o.Net.Namespace(i)
		}
		c.nodes = append(c.nodes, n)
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if o.DiskBytes > 0 {
		if c.disks, err = mountDisks(c.nodes, o.DiskBytes); err != nil {
			return nil, err
		}
	}
	for _, n := range c.nodes[:o.Nodes] {
		if err := os.MkdirAll(n.Data(), 0o700); err != nil {
			return nil, err
		}
		if err := n.Start(); err != nil {
			return nil, err
		}
	}
	return c, c.system.Form(ctx, c)
}

// Nodes are the cluster's processes, by index, without the spares.
func (c *Cluster) Nodes() []*Node { return c.nodes[:c.opts.Nodes] }

// Spares are the nodes that were not started with the cluster.
func (c *Cluster) Spares() []*Node { return c.nodes[c.opts.Nodes:] }

// Addrs are the client addresses of all nodes, without the spares.
func (c *Cluster) Addrs() (out []string) {
	for _, n := range c.Nodes() {
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

// Close kills every process and removes disks and network.
func (c *Cluster) Close() {
	if c.disks != nil {
		for i := range c.disks.dirs {
			_ = c.disks.thaw(i) // or the process could not end
		}
	}
	c.Kill()
	if c.disks != nil {
		_ = c.disks.unmount() // what is left is a mount below Dir
	}
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

// Exited is an error if a process is down without having been asked to end. It holds the last words of its log.
func (c *Cluster) Exited() error {
	for _, n := range c.nodes {
		if err := n.Exited(); err != nil {
			return fmt.Errorf("%w: %s", err, n.lastWords())
		}
	}
	return nil
}

// WaitReady waits until every running node reports itself ready and the slots are fully owned. A process that has ended though nobody
// told it to will not become ready: that is an error at once.
func (c *Cluster) WaitReady(ctx context.Context) error {
	var last error
	for {
		if err := c.Exited(); err != nil {
			return fmt.Errorf("cluster is not ready: %w", err)
		}
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
		if err := c.readyNode(ctx, n); err != nil {
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
