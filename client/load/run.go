package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/client"
)

// shared is what the workers of one measurement have in common.
type shared struct {
	plan      Plan
	keys      map[string][]uint32 // node address → numbers of the keys it owns
	measuring atomic.Bool
	ops       atomic.Int64
	errors    atomic.Int64
	redirects atomic.Int64
	misses    atomic.Int64
	firstErr  atomic.Pointer[string]
}

// Run executes p and returns what it saw. Errors of single operations are counted, not returned.
func Run(ctx context.Context, p Plan) (Result, error) {
	if err := p.Check(); err != nil {
		return Result{}, err
	}
	s := &shared{plan: p}
	var err error
	if s.keys, err = ownedKeys(ctx, p); err != nil {
		return Result{}, err
	}
	workers, err := s.connect(ctx)
	if err != nil {
		return Result{}, err
	}
	return s.measure(ctx, workers)
}

// Fill writes every key once, so that a later measurement of reads hits.
func Fill(ctx context.Context, p Plan) error {
	if err := p.Check(); err != nil {
		return err
	}
	keys, err := ownedKeys(ctx, p)
	if err != nil {
		return err
	}
	p.Pipeline, p.Reads, p.Rate = 128, 0, 0
	s := &shared{plan: p, keys: keys}
	var wg sync.WaitGroup
	var done atomic.Int64
	errs := make(chan error, len(keys))
	for addr, own := range keys {
		wg.Go(func() { errs <- s.fillNode(ctx, addr, own, &done) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *shared) fillNode(ctx context.Context, addr string, own []uint32, done *atomic.Int64) error {
	w, err := s.dial(ctx, addr, rand.Uint64())
	if err != nil {
		return err
	}
	defer w.close()
	for len(own) > 0 && ctx.Err() == nil {
		n := min(len(own), s.plan.Pipeline)
		w.out = w.out[:0]
		for _, k := range own[:n] {
			w.appendSet(k)
		}
		if err := w.exchange(n); err != nil {
			return fmt.Errorf("fill %s: %w", addr, err)
		}
		if e := s.firstErr.Load(); e != nil {
			return fmt.Errorf("fill %s: %s", addr, *e)
		}
		own = own[n:]
		if p := s.plan.Progress; p != nil && done.Add(int64(n))%8192 < int64(n) {
			p(Progress{Ops: done.Load()})
		}
	}
	return ctx.Err()
}

// ownedKeys sorts the key space by the node that owns each key.
func ownedKeys(ctx context.Context, p Plan) (map[string][]uint32, error) {
	c := client.NewCluster(p.Seeds, client.Options{Password: p.Password})
	defer c.Close()
	if err := c.Refresh(ctx); err != nil {
		return nil, err
	}
	keys := map[string][]uint32{}
	var b []byte
	for n := range uint32(p.Keys) {
		b = appendKey(b[:0], n, p.KeySize)
		addr := c.Owner(string(b))
		keys[addr] = append(keys[addr], n)
	}
	if _, holes := keys[""]; holes {
		return nil, fmt.Errorf("the slot map has holes: wait until the cluster is complete")
	}
	return keys, nil
}

func (s *shared) connect(ctx context.Context) ([]*worker, error) {
	var addrs []string
	for addr := range s.keys {
		addrs = append(addrs, addr)
	}
	var workers []*worker
	for i := range s.plan.Clients {
		w, err := s.dial(ctx, addrs[i%len(addrs)], uint64(i)+1)
		if err != nil {
			for _, w := range workers {
				w.close()
			}
			return nil, err
		}
		workers = append(workers, w)
	}
	return workers, nil
}

func (s *shared) measure(ctx context.Context, workers []*worker) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.plan.Warmup+s.plan.Duration+time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	run, stop := context.WithCancel(ctx)
	defer stop()
	for _, w := range workers {
		wg.Go(func() { w.loop(run) })
	}
	s.watch(run, s.plan.Warmup)
	before, err := cpuTime(s.plan.Pids)
	if err != nil {
		return Result{}, err
	}
	start := time.Now()
	s.measuring.Store(true)
	s.watch(run, s.plan.Duration)
	s.measuring.Store(false)
	r := Result{Elapsed: time.Since(start), Ops: s.ops.Load(), Errors: s.errors.Load(), Redirects: s.redirects.Load(), Misses: s.misses.Load()}
	after, err := cpuTime(s.plan.Pids)
	stop()
	wg.Wait()
	if err != nil {
		return r, err
	}
	all := newHistogram()
	for _, w := range workers {
		all.Merge(w.latency)
	}
	r.fill(all, after-before)
	if e := s.firstErr.Load(); e != nil {
		r.FirstError = *e
	}
	return r, ctx.Err()
}

// watch waits for d and reports progress meanwhile.
func (s *shared) watch(ctx context.Context, d time.Duration) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-tick.C:
			if p := s.plan.Progress; p != nil && s.measuring.Load() {
				p(Progress{Elapsed: time.Since(start), Total: d, Ops: s.ops.Load(), Errors: s.errors.Load()})
			}
		}
	}
}

func (s *shared) fail(text string) {
	s.errors.Add(1)
	s.firstErr.CompareAndSwap(nil, &text)
}
