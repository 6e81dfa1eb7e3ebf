package rolling

import (
	"context"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/counter"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
)

// Options describe a run.
type Options struct {
	// Binary is the quorate executable; Dir takes data folders and logs.
	Binary, Dir string
	// Port is the first client port on loopback.
	Port int
	// Rounds is how often every node is restarted.
	Rounds int
	// Flags go to every server.
	Flags []string
	// Between is how long the load runs before the first restart and after each.
	Between time.Duration
	// Report is told what happens, one line at a time.
	Report func(format string, args ...any)
}

// Result is what the applications saw.
type Result struct {
	Rows []Row `json:"rows"`
	// Violations are lost writes, double writes, stale reads and replicas that differ. There must be none.
	Violations []string `json:"violations"`
}

// Row is one client.
type Row struct {
	Client string `json:"client"`
	// Commands were answered or failed.
	Commands int64 `json:"commands"`
	// Errors are the commands that failed for the application; Examples are the first of them.
	Errors   int64    `json:"errors"`
	Examples []string `json:"examples,omitempty"`
	// Longest is the longest time that the application waited for one command; for the plain client, the longest time
	// between two acknowledged writes of one key.
	Longest time.Duration `json:"longest_ns"`
}

const (
	nodes = 3
	keys  = 50
	// workers share one client object, as the requests of a web server do.
	workers = 16
	// thinking is a worker's pause between two commands.
	thinking = 2 * time.Millisecond
	// patience bounds the wait for a node to stop, and for the cluster to be whole again.
	patience = 60 * time.Second
)

// Run starts a cluster, puts load on it and restarts each node in turn. An error means that the measurement itself failed.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Report == nil {
		o.Report = func(string, ...any) {}
	}
	c, err := process.Start(ctx, process.Options{Binary: o.Binary, Dir: o.Dir, Nodes: nodes, Port: o.Port, Flags: o.Flags})
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	if err := await(ctx, c); err != nil {
		return Result{}, err
	}
	load, cancel := context.WithCancel(ctx)
	defer cancel()
	plain := counter.Start(load, counter.Options{Seeds: c.Addrs(), Keys: keys, Prefix: "plain", Writers: 8, Readers: 4, Timeout: patience})
	apps, err := startApps(load, c.Addrs())
	if err != nil {
		return Result{}, err
	}
	err = restartAll(ctx, c, o)
	cancel()
	plain.Wait()
	for _, a := range apps {
		a.wait()
	}
	if err != nil {
		return Result{}, err
	}
	return examine(ctx, c, plain, apps)
}

// restartAll does what an operator does: stop a node, start it again, wait until it says that it is ready, take the next.
func restartAll(ctx context.Context, c *process.Cluster, o Options) error {
	sleep.For(ctx, o.Between)
	for range o.Rounds {
		for _, n := range c.Nodes() {
			began := time.Now()
			if err := restart(ctx, c, n); err != nil {
				return err
			}
			o.Report("restarted %s in %s", n.Addr(), time.Since(began).Round(time.Millisecond))
			sleep.For(ctx, o.Between)
		}
	}
	return ctx.Err()
}

func restart(ctx context.Context, c *process.Cluster, n *process.Node) error {
	stop, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := n.Terminate(stop); err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return err
	}
	return await(ctx, c)
}

func await(ctx context.Context, c *process.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.WaitReady(ctx)
}

// examine counts up what was seen and compares it with what the cluster holds.
func examine(ctx context.Context, c *process.Cluster, plain *counter.Workload, apps []*app) (r Result, err error) {
	if r.Violations, err = plain.Check(ctx); err != nil {
		return r, err
	}
	r.Rows = append(r.Rows, Row{
		Client: "plain", Commands: plain.Acked.Load() + plain.Reads.Load() + plain.Failed.Load(), Errors: plain.Failed.Load(),
		Examples: plain.Failures(), Longest: plain.LongestGap(),
	})
	cl := client.NewCluster(c.Addrs(), client.Options{})
	defer cl.Close()
	for _, a := range apps {
		r.Rows = append(r.Rows, a.row())
		found, err := a.check(ctx, cl)
		if err != nil {
			return r, err
		}
		r.Violations = append(r.Violations, found...)
	}
	if err := c.SameDigests(ctx); err != nil {
		r.Violations = append(r.Violations, err.Error())
	}
	return r, nil
}
