package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
)

// Event is one fault of a run. Times are ns since the run began.
type Event struct {
	Fault    string `json:"fault"`
	Family   string `json:"family"`
	Victim   string `json:"victim"`
	Injected int64  `json:"injected"`
	Healed   int64  `json:"healed"`
	// Whole is when every node was ready, every replica had what its leader had when the fault was healed, and a write to each
	// probed slot succeeded; 0 if that did not happen in time.
	Whole int64 `json:"whole"`
	// First is when each group served again, by group.
	First []Revival `json:"first,omitempty"`
	// Memory is what nodes held meanwhile, of faults that are about that.
	Memory *Memory `json:"memory,omitempty"`
	// Bit says how one could see that the fault was really there; empty if it was not.
	Bit string `json:"bit"`
	// Load is the machine's load over the last minute, at the end: recovery on a busy machine takes longer.
	Load  float64 `json:"load"`
	Error string  `json:"error,omitempty"`
}

// Options of a schedule.
type Options struct {
	Faults []Fault
	Seed   uint64
	// Now is the clock of the run's history.
	Now func() int64
	// Quiet and Hurt bound the pauses between faults and their lengths; both are drawn anew each time.
	Quiet, Hurt [2]time.Duration
	// Bound is how soon after a fault the cluster must be whole.
	Bound time.Duration
	// Report is told of every event when it is over, Stage of what happens now.
	Report func(Event)
	Stage  func(what string)
}

var (
	// ErrNotWhole says that the cluster did not recover in time: a finding, not a failure of the harness.
	ErrNotWhole = errors.New("the cluster did not become whole again")
	// ErrWrong says that a node went on where it must stop: a finding, too.
	ErrWrong = errors.New("wrong reaction to a fault")
)

// Run hurts the cluster until ctx ends, then heals it. Healing is not bound by ctx.
func Run(ctx context.Context, c *process.Cluster, o Options) error {
	e := &env{cluster: c, rng: rand.New(rand.NewPCG(o.Seed, 0x6e656d)), now: o.Now, bound: o.Bound}
	if err := e.whole(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("before the first fault: %w", err)
	}
	if err := e.learn(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for {
		o.Stage("quiet")
		sleep.For(ctx, e.between(o.Quiet))
		if ctx.Err() != nil || len(o.Faults) == 0 {
			<-ctx.Done()
			return nil
		}
		f := o.Faults[e.random(len(o.Faults))]
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
	now     func() int64
	bound   time.Duration
	// keys has a key of each group; Redis has none.
	keys map[slot.GroupID]string
	// amid says that other faults may last: the cluster need not become whole before all have been healed.
	amid bool

	// mu guards rng: faults at the same time draw from it.
	mu  sync.Mutex
	rng *rand.Rand
}

func (e *env) random(n int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rng.IntN(n)
}

func (e *env) between(bounds [2]time.Duration) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bounds[0] + time.Duration(e.rng.Int64N(int64(bounds[1]-bounds[0])+1))
}

func (e *env) node() *process.Node { return e.some(1)[0] }

// some chooses n different nodes.
func (e *env) some(n int) (out []*process.Node) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.cluster.Nodes()
	for _, i := range e.rng.Perm(len(all))[:n] {
		out = append(out, all[i])
	}
	return out
}

// probe is a key of a random slot.
func (e *env) probe() string { return probeKey(e.random(probes)) }

func probeKey(i int) string { return "nemesis:" + strconv.Itoa(i) }

// strike does one fault from beginning to end.
func (e *env) strike(ctx context.Context, f Fault, length time.Duration) (Event, error) {
	heal := context.WithoutCancel(ctx)
	event := Event{Fault: f.Name, Family: f.Family}
	before, err := e.terms(heal)
	if err != nil {
		event.Error = err.Error()
		return event, err
	}
	event.Injected = e.now()
	in, err := f.inject(heal, e)
	event.Victim = in.victim
	if err == nil {
		e.endure(ctx, in, length)
		if in.bit != nil {
			event.Bit = in.bit()
		}
		if in.memory != nil {
			event.Memory = in.memory()
		}
	}
	if errors.Is(err, errNotNow) {
		err = nil
	}
	for _, undo := range []func() error{in.heal, in.back} {
		if undo != nil {
			err = errors.Join(err, undo())
		}
	}
	event.Healed = e.now()
	if err == nil {
		event.First, err = e.revived(heal)
	}
	if err == nil {
		err = e.whole(heal)
	}
	if err == nil && in.after != nil {
		err = in.after(heal)
	}
	event.Load = load()
	if err != nil {
		err = fmt.Errorf("%s of %s (load %.1f): %w", f.Name, in.victim, event.Load, err)
		event.Error = err.Error()
		return event, err
	}
	event.Whole = e.now()
	if in.late != nil {
		event.Bit = join(event.Bit, in.late())
	}
	if after, err := e.terms(heal); err == nil && (event.Bit != "" || in.bit == nil && in.victim != "") {
		event.Bit = join(event.Bit, moved(before, after))
	}
	return event, nil
}

// endure lets a fault last.
func (e *env) endure(ctx context.Context, in injury, length time.Duration) {
	lasting, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	if in.act != nil {
		in.act(lasting)
	}
	<-lasting.Done()
	if in.until != nil {
		in.until(ctx)
	}
}

// load is the machine's load average over a minute, 0 where it is not told.
func load() (avg float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		avg, _ = strconv.ParseFloat(first, 64) // a number by contract
	}
	return avg
}

// terms are the terms of all groups: one that rose has elected.
type terms map[slot.GroupID]uint64

func (e *env) terms(ctx context.Context) (terms, error) {
	if !e.cluster.IsQuorate() {
		return nil, nil
	}
	s, err := e.cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := terms{}
	for _, g := range s.Groups {
		for _, r := range g.Replicas {
			out[g.ID] = max(out[g.ID], r.Term)
		}
	}
	return out, nil
}

// probes is how many keys are written to see that the cluster serves: with few groups, each gets some.
const probes = 16

// whole waits until every node is ready, writes succeed, and replicas have what their leaders have.
func (e *env) whole(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.bound)
	defer cancel()
	if err := e.cluster.WaitReady(ctx); err != nil {
		return fmt.Errorf("%w within %v: %w", ErrNotWhole, e.bound, err)
	}
	cl := client.NewCluster(e.cluster.Addrs(), client.Options{Timeout: time.Second})
	defer cl.Close()
	for i := range probes {
		key := probeKey(i)
		for {
			_, err := cl.Do(ctx, key, "SET", key, "1")
			if err == nil {
				break
			}
			sleep.For(ctx, 20*time.Millisecond)
			if ctx.Err() != nil {
				return fmt.Errorf("%w within %v: write to slot %d: %w", ErrNotWhole, e.bound, slot.Of([]byte(key)), err)
			}
		}
	}
	if !e.cluster.IsQuorate() {
		return nil
	}
	return e.converged(ctx)
}

// converged waits until every replica has applied all that any replica of its group had when it was called.
func (e *env) converged(ctx context.Context) error {
	var want terms
	last := errors.New("no node answers")
	for ctx.Err() == nil {
		s, err := e.cluster.Status(ctx)
		if err == nil && want == nil {
			want = applied(s)
		}
		if err == nil {
			err = lacking(s, want)
		}
		if err == nil {
			return nil
		}
		last = err
		sleep.For(ctx, 50*time.Millisecond)
	}
	return fmt.Errorf("%w within %v: %w", ErrNotWhole, e.bound, last)
}

// newest is the last index of each group.
func newest(s client.Status) terms {
	out := terms{}
	for _, g := range s.Groups {
		for _, r := range g.Replicas {
			out[g.ID] = max(out[g.ID], r.Last)
		}
	}
	return out
}

// applied is the last entry of each group that any of its state machines has. What comes after it, the first entries of a term, is
// no command: followers hear that such an entry is committed with the next command only, which an idle group does not have.
func applied(s client.Status) terms {
	out := terms{}
	for _, g := range s.Groups {
		for _, r := range g.Replicas {
			out[g.ID] = max(out[g.ID], r.Applied)
		}
	}
	return out
}

func lacking(s client.Status, want terms) error {
	if len(s.Groups) == 0 {
		return errors.New("there are no groups")
	}
	for _, g := range s.Groups {
		for _, r := range g.Replicas {
			if r.Applied < want[g.ID] || r.State == "down" {
				return fmt.Errorf("group %d: node %s is %s and has applied %d of %d", g.ID, r.Node.Short(), r.State, r.Applied, want[g.ID])
			}
		}
	}
	return nil
}
