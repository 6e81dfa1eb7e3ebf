package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/sleep"
)

// Spec is one workload.
type Spec struct {
	Name  string
	About string
	// Flags go to every server.
	Flags []string
	// Rules judge its history.
	Rules func(c Conditions) check.Rules

	// step does one operation (or one pipeline) on an object, final reads it for the last time.
	step  func(s *session, key string)
	final func(s *session, key string)
}

// Conditions are what a history is judged under.
type Conditions struct {
	// Skew is how far the nodes' clocks were apart.
	Skew time.Duration
	// Evicts says that a fault made the nodes evict.
	Evicts bool
	// Logged says that the history was completed from the cluster's logs.
	Logged bool
}

// Options describe the clients.
type Options struct {
	// Seeds are client addresses of the cluster, Password lets clients in.
	Seeds    []string
	Password string
	// Prefix makes the objects' names different from those of other runs on the same cluster.
	Prefix  string
	Clients int
	// Seed makes the clients' choices; the interleaving is up to the machine.
	Seed    uint64
	History *history.Writer
	// Timeout bounds one command; then its outcome is unknown.
	Timeout time.Duration
	// Dial, if set, connects instead of TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Think is the pause after each operation.
	Think time.Duration
	// Ballast is the size of the values that fill the nodes; 128 KiB by default.
	Ballast int
	// Largest bounds the values of big (1 MiB by default) and slow-reader (64 KiB), which are larger than 1 KiB.
	Largest int
}

const (
	// sharing is the most clients that use one object.
	sharing = 8
	// objects is how many objects a group of clients uses at a time, so that some live on each node.
	objects = 3
	// perKey is after how many operations an object is given up.
	perKey = 200
	// afterFailure is the pause of a client that was refused, so that it does not spin while there is no leader.
	afterFailure = 10 * time.Millisecond
)

// Run is a workload under way.
type Run struct {
	spec  Spec
	opts  Options
	rings []*ring
	wg    sync.WaitGroup
}

// Start lets the clients loose; they end with ctx. Call Wait, then Finish.
func Start(ctx context.Context, spec Spec, o Options) *Run {
	r := &Run{spec: spec, opts: o}
	for g := range (o.Clients + sharing - 1) / sharing {
		for i := range objects {
			r.rings = append(r.rings, &ring{name: fmt.Sprintf("%s%s-%d-%d", o.Prefix, spec.Name, g, i)})
		}
	}
	for i := range o.Clients {
		r.wg.Go(func() { r.client(ctx, i) })
	}
	return r
}

// Wait returns when all clients have ended.
func (r *Run) Wait() { r.wg.Wait() }

func (r *Run) client(ctx context.Context, i int) {
	// Not cancelled in the middle of a command: its outcome would be unknown for no reason.
	s := newSession(context.WithoutCancel(ctx), r.opts, i)
	defer s.close()
	mine := r.rings[i/sharing*objects:][:objects]
	for ctx.Err() == nil {
		r.spec.step(s, mine[s.rng.IntN(objects)].next())
		pause := r.opts.Think
		if s.failed {
			pause = max(pause, afterFailure)
		}
		sleep.For(ctx, pause)
	}
}

// finalTries bounds the last read of an object; the cluster is whole by then.
const finalTries = 50

// Finish reads every object that was used once more. The cluster must have been healed.
func (r *Run) Finish(ctx context.Context) error {
	s := newSession(ctx, r.opts, r.opts.Clients)
	defer s.close()
	for _, ring := range r.rings {
		for _, key := range ring.used() {
			if err := r.finish(ctx, s, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Run) finish(ctx context.Context, s *session, key string) error {
	for range finalTries {
		if r.spec.final(s, key); !s.failed {
			return nil
		}
		sleep.For(ctx, 10*afterFailure)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(fmt.Errorf("last read of %s: %s", key, s.last), ctx.Err())
}

// ring names objects that are used one after the other.
type ring struct {
	name string
	n    atomic.Int64
}

func (r *ring) next() string { return r.key((r.n.Add(1) - 1) / perKey) }

func (r *ring) key(generation int64) string { return fmt.Sprintf("{%s-%d}", r.name, generation) }

func (r *ring) used() (out []string) {
	for g := int64(0); g*perKey < r.n.Load(); g++ {
		out = append(out, r.key(g))
	}
	return out
}

func seeded(seed uint64, client int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(client))) }
