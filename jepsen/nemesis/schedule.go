package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/process"
)

// Event is one fault of a run. Times are ns since the run began.
type Event struct {
	Fault    string `json:"fault"`
	Victim   string `json:"victim"`
	Injected int64  `json:"injected"`
	Healed   int64  `json:"healed"`
	// Whole is when every node was ready and a write to each probed slot succeeded; 0 if that did not happen in time.
	Whole int64 `json:"whole"`
	// Bit says how one could see that the fault was really there; empty if it was not.
	Bit   string `json:"bit"`
	Error string `json:"error,omitempty"`
}

// Options of a schedule.
type Options struct {
	Faults []Fault
	Seed   uint64
	// Now is the clock of the run's history.
	Now func() int64
	// Quiet and Hurt bound the pauses between faults and their lengths; both are drawn anew each time.
	Quiet, Hurt [2]time.Duration
	// Report is told of every event when it is over, Stage of what happens now.
	Report func(Event)
	Stage  func(what string)
}

// patience bounds the wait for the cluster to be whole; longer is a violation of liveness.
const patience = 60 * time.Second

// ErrNotWhole says that the cluster did not recover in time: a finding, not a failure of the harness.
var ErrNotWhole = errors.New("the cluster did not become whole again")

// Run hurts the cluster until ctx ends, then heals it. Healing is not bound by ctx.
func Run(ctx context.Context, c *process.Cluster, o Options) error {
	e := &env{cluster: c, rng: rand.New(rand.NewPCG(o.Seed, 0x6e656d)), now: o.Now}
	if err := e.whole(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("before the first fault: %w", err)
	}
	for {
		o.Stage("quiet")
		wait(ctx, e.between(o.Quiet))
		if ctx.Err() != nil || len(o.Faults) == 0 {
			<-ctx.Done()
			return nil
		}
		f := o.Faults[e.rng.IntN(len(o.Faults))]
		o.Stage(f.Name)
		event, err := e.strike(ctx, f, e.between(o.Hurt))
		o.Report(event)
		if err != nil {
			return err
		}
	}
}

// env is the cluster under one schedule.
type env struct {
	cluster *process.Cluster
	rng     *rand.Rand
	now     func() int64
}

func (e *env) between(bounds [2]time.Duration) time.Duration {
	return bounds[0] + time.Duration(e.rng.Int64N(int64(bounds[1]-bounds[0])+1))
}

func (e *env) node() *process.Node {
	all := e.cluster.Nodes()
	return all[e.rng.IntN(len(all))]
}

// strike does one fault from beginning to end.
func (e *env) strike(ctx context.Context, f Fault, length time.Duration) (Event, error) {
	heal := context.WithoutCancel(ctx)
	before, err := e.terms(heal)
	if err != nil {
		return Event{Fault: f.Name, Error: err.Error()}, err
	}
	event := Event{Fault: f.Name, Injected: e.now()}
	in, err := f.inject(heal, e)
	event.Victim = in.victim
	if err == nil {
		wait(ctx, length)
		event.Bit = in.bit()
	}
	if in.heal != nil {
		err = errors.Join(err, in.heal())
	}
	event.Healed = e.now()
	if err == nil {
		err = e.whole(heal)
	}
	if err != nil {
		err = fmt.Errorf("%s of %s: %w", f.Name, in.victim, err)
		event.Error = err.Error()
		return event, err
	}
	event.Whole = e.now()
	if after, err := e.terms(heal); err == nil {
		event.Bit = join(event.Bit, moved(before, after))
	}
	return event, nil
}

func join(a, b string) string {
	if a != "" && b != "" {
		return a + ", " + b
	}
	return a + b
}

// terms are the terms of all groups: one that rose has elected.
func (e *env) terms(ctx context.Context) (map[slot.GroupID]uint64, error) {
	s, err := e.status(ctx)
	if err != nil {
		return nil, err
	}
	out := map[slot.GroupID]uint64{}
	for _, g := range s.Groups {
		for _, r := range g.Replicas {
			out[g.ID] = max(out[g.ID], r.Term)
		}
	}
	return out, nil
}

func (e *env) status(ctx context.Context) (client.Status, error) {
	a, err := client.NewAdmin(ctx, e.cluster.Addrs(), client.Options{})
	if err != nil {
		return client.Status{}, err
	}
	defer a.Close()
	return a.Status(ctx)
}

func moved(before, after map[slot.GroupID]uint64) string {
	n := 0
	for g, t := range after {
		if t > before[g] {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d groups elected", n)
}

// probes is how many keys are written to see that the cluster serves: with few groups, each gets some.
const probes = 16

// whole waits until every node is ready and writes succeed.
func (e *env) whole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := e.cluster.WaitReady(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWhole, err)
	}
	cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: time.Second})
	defer cl.Close()
	for i := range probes {
		key := "nemesis:" + strconv.Itoa(i)
		for {
			_, err := cl.Do(ctx, key, "SET", key, "1")
			if err == nil {
				break
			}
			wait(ctx, 20*time.Millisecond)
			if ctx.Err() != nil {
				return fmt.Errorf("%w: write to slot %d: %w", ErrNotWhole, slot.Of([]byte(key)), err)
			}
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
