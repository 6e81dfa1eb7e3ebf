package rolling

import (
	"context"
	"fmt"
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
	// Partial, if not empty, says what ended the run early: Rows are what was seen before, and Violations may be incomplete.
	Partial string `json:"partial,omitempty"`
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

func (o Options) check() error {
	if o.Rounds < 1 || o.Between < 0 {
		return fmt.Errorf("%d rounds, %s between restarts: want at least one round, and no negative time", o.Rounds, o.Between)
	}
	return nil
}

// Run starts a cluster, puts load on it and restarts each node in turn. An error means that the measurement itself failed; the result has
// what was seen before.
func Run(ctx context.Context, o Options) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
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
	apps, err := startApps(load, c.Addrs())
	if err != nil {
		return Result{}, err
	}
	plain := counter.Start(load, counter.Options{Seeds: c.Addrs(), Keys: keys, Prefix: "plain", Writers: 8, Readers: 4, Timeout: patience})
	err = restartAll(ctx, c, o)
	cancel()
	plain.Wait()
	for _, a := range apps {
		a.wait()
	}
	r := Result{Rows: rowsOf(plain, apps), Violations: plain.Violations()}
	if err == nil {
		r.Violations, err = violations(ctx, c, plain, apps)
	}
	if err != nil {
		r.Partial = err.Error()
	}
	return r, err
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

// rowsOf counts up what clients saw.
func rowsOf(plain *counter.Workload, apps []*app) []Row {
	out := []Row{{
		Client: "plain", Commands: plain.Acked.Load() + plain.Reads.Load() + plain.Failed.Load(), Errors: plain.Failed.Load(),
		Examples: plain.Failures(), Longest: plain.LongestGap(),
	}}
	for _, a := range apps {
		out = append(out, a.row())
	}
	return out
}

// violations compares what was acknowledged with what the cluster holds, and the replicas. With an error, it returns those found before.
func violations(ctx context.Context, c *process.Cluster, plain *counter.Workload, apps []*app) ([]string, error) {
	all, err := plain.Check(ctx)
	if err != nil {
		return all, err
	}
	cl := client.NewCluster(c.Addrs(), client.Options{})
	defer cl.Close()
	for _, a := range apps {
		found, err := a.check(ctx, cl)
		all = append(all, found...)
		if err != nil {
			return all, err
		}
	}
	switch err := c.SameDigests(ctx); {
	case ctx.Err() != nil:
		return all, ctx.Err() // nobody knows whether they differ
	case err != nil:
		all = append(all, err.Error())
	}
	return all, nil
}
