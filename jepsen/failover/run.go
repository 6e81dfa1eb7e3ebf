package failover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
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
	// Faults to run; all of Faults() if nil. Network faults are left out unless Network is set.
	Faults []Fault
	// Network runs every node in a namespace of its own (root and iproute2 needed).
	Network bool
	// Flags go to every server.
	Flags []string
	// Before and After are how long the workload runs before the fault and after the first sign of life.
	Before, After time.Duration
	// Report is told what happens, one line at a time.
	Report func(format string, args ...any)
}

// Row is what one fault did.
type Row struct {
	Fault string `json:"fault"`
	// Recovery is the time from the fault to the next acknowledgement of a write to the victim's keys that was sent after the
	// fault, through a plain client that follows MOVED.
	Recovery time.Duration `json:"recovery_ns"`
	// GoRedis is the same through an application on go-redis with default settings, 0 if that did not recover while it was
	// watched; GoRedisErrors counts its failed commands.
	GoRedis       time.Duration `json:"go_redis_ns"`
	GoRedisErrors int           `json:"go_redis_errors"`
	Acked         int64         `json:"acked"`
	Unknown       int64         `json:"unknown"`
	Refused       int64         `json:"refused"`
	Reads         int64         `json:"reads"`
	// Violations are lost writes, double writes, stale reads and replicas that differ. There must be none.
	Violations []string `json:"violations"`
	// Partial, if not empty, says what ended the run during this fault: times that are 0 are not known, and Violations may be incomplete.
	Partial string `json:"partial,omitempty"`
}

const (
	keys    = 50
	writers = 8
	readers = 4
	// timeout of a plain client's command, short so that a frozen node is noticed by the time that others have elected.
	timeout = 250 * time.Millisecond
	// patience bounds every wait for the cluster to be whole.
	patience = 60 * time.Second
	// recoveryBound ends a measurement of a cluster that does not come back.
	recoveryBound = 30 * time.Second
)

// Run starts a cluster of three processes, hurts it and returns a row per fault. An error means that the measurement itself
// failed, after the faults that have a row; violations are in the rows. The fault at which it failed has one only if it has violations.
func Run(ctx context.Context, o Options) ([]Row, error) {
	if o.Before < 0 || o.After < 0 {
		return nil, errors.New("the load before and after a fault must not take less than no time")
	}
	if o.Report == nil {
		o.Report = func(string, ...any) {}
	}
	c, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := await(ctx, c); err != nil {
		return nil, err
	}
	faults := o.faults()
	var rows []Row
	for i, f := range faults {
		row, err := one(ctx, c, o, f, "f"+strconv.Itoa(i))
		if err == nil || len(row.Violations) > 0 {
			rows = append(rows, row)
		}
		if err != nil {
			return rows, fmt.Errorf("fault %d of %d, %s: %w", i+1, len(faults), f.Name, err)
		}
	}
	return rows, nil
}

// faults are those to run.
func (o Options) faults() []Fault {
	all := o.Faults
	if all == nil {
		all = Faults()
	}
	return slices.DeleteFunc(slices.Clone(all), func(f Fault) bool { return f.Network && !o.Network })
}

func start(ctx context.Context, o Options) (*process.Cluster, error) {
	po := process.Options{Binary: o.Binary, Dir: o.Dir, Nodes: 3, Port: o.Port, Flags: o.Flags}
	if o.Network {
		net, err := process.NewNetwork("qf"+strconv.Itoa(os.Getpid()%10000), "10.97.1", 3)
		if err != nil {
			return nil, err
		}
		po.Net = net
	}
	return process.Start(ctx, po)
}

func await(ctx context.Context, c *process.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.WaitReady(ctx)
}

// one runs the workload while f hurts the cluster, and checks what is left. With an error, the row has what was seen before.
func one(ctx context.Context, c *process.Cluster, o Options, f Fault, prefix string) (Row, error) {
	row := Row{Fault: f.Name}
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	w := counter.Start(run, counter.Options{
		Seeds: c.Addrs(), Keys: keys, Prefix: prefix, Writers: writers, Readers: readers, Timeout: timeout,
	})
	err := row.measure(ctx, c, o, f, w, prefix)
	cancel()
	w.Wait()
	row.Acked, row.Unknown, row.Refused, row.Reads = w.Acked.Load(), w.Unknown.Load(), w.Refused.Load(), w.Reads.Load()
	row.Violations = w.Violations()
	if err == nil {
		row.Violations, err = violations(ctx, c, w)
	}
	if err != nil {
		row.Partial = err.Error()
	}
	return row, err
}

// measure injects f and notes how long clients noticed, until the cluster is whole again.
func (row *Row) measure(ctx context.Context, c *process.Cluster, o Options, f Fault, w *counter.Workload, prefix string) error {
	leader, err := c.LeaderOf(ctx, prefix+":0")
	if err != nil {
		return err
	}
	p := startProbe(ctx, c.Addrs(), prefix)
	defer p.stop()
	victim := leader
	if f.Victim != nil {
		if victim, err = f.Victim(ctx, c, leader); err != nil {
			return err
		}
	}
	sleep.For(ctx, o.Before)
	held, err := keysOf(ctx, c, append(w.Keys(), p.keys...), victim)
	if err != nil {
		return err
	}
	o.Report("%s (%s)", f.Name, victim.Addr())
	var struck time.Time
	if struck, row.Recovery, err = hurt(ctx, c, f, victim, w, held); err != nil {
		return err
	}
	sleep.For(ctx, o.After)
	row.GoRedis, row.GoRedisErrors = p.recovery(struck, held)
	if err := f.Heal(c, victim); err != nil {
		return err
	}
	if err := await(ctx, c); err != nil {
		return err
	}
	return sleep.For(ctx, o.Before)
}

// violations compares what was acknowledged with what the cluster holds, and the replicas. With an error, it returns those found before.
func violations(ctx context.Context, c *process.Cluster, w *counter.Workload) ([]string, error) {
	all, err := w.Check(ctx)
	if err != nil {
		return all, err
	}
	switch err := c.SameDigests(ctx); {
	case ctx.Err() != nil:
		return all, ctx.Err() // nobody knows whether they differ
	case err != nil:
		all = append(all, err.Error())
	}
	return all, nil
}

// hurt injects the fault and returns when it struck and the time from then until one of the victim's keys could be written.
func hurt(ctx context.Context, c *process.Cluster, f Fault, victim *process.Node, w *counter.Workload, held map[string]bool) (at time.Time, recovery time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, recoveryBound)
	defer cancel()
	recovered := make(chan error, 1)
	err = f.Inject(c, victim, func() {
		at = time.Now()
		go func() {
			var err error
			recovery, err = w.NextAck(ctx, at, held)
			recovered <- err
		}()
	})
	if err != nil {
		return at, 0, err
	}
	err = <-recovered
	return at, recovery, err
}

// keysOf are those keys that victim leads; all of them if it leads none.
func keysOf(ctx context.Context, c *process.Cluster, keys []string, victim *process.Node) (map[string]bool, error) {
	cl := client.NewCluster(c.Addrs(), client.Options{})
	defer cl.Close()
	if err := cl.Refresh(ctx); err != nil {
		return nil, err
	}
	all, held := map[string]bool{}, map[string]bool{}
	for _, k := range keys {
		all[k] = true
		if cl.Owner(k) == victim.Addr() {
			held[k] = true
		}
	}
	if len(held) == 0 {
		return all, nil
	}
	return held, nil
}
