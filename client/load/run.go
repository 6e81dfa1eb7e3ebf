package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// shared is what the workers of one measurement have in common.
type shared struct {
	plan Plan
	keys map[string]*keyspace // by node address
	rec  *recorder
}

// Run executes p and returns what it saw. Errors of single operations are counted; only if there was nothing else, that is an error. If ctx
// ends while it measures, it returns what it saw until then, too.
func Run(ctx context.Context, p Plan) (Result, error) {
	if err := p.Check(); err != nil {
		return Result{}, err
	}
	keys, err := ownedKeys(ctx, p)
	if err != nil {
		return Result{}, err
	}
	s := &shared{plan: p, keys: keys, rec: newRecorder(p)}
	workers, err := s.connect(ctx)
	defer closeAll(workers)
	if err != nil {
		return Result{}, err
	}
	return s.measure(ctx, workers)
}

// connect returns the connections that there are by then with an error, too.
func (s *shared) connect(ctx context.Context) (workers []*worker, err error) {
	var addrs []string
	for addr, k := range s.keys {
		if len(k.present) > 0 {
			addrs = append(addrs, addr)
		}
	}
	if s.plan.Clients < len(addrs) {
		return nil, fmt.Errorf("%d clients for %d nodes: some would get no load; want --clients %d or more", s.plan.Clients, len(addrs), len(addrs))
	}
	slices.Sort(addrs) // which nodes have a connection more is the same each time
	for i := range s.plan.Clients {
		w, err := s.dial(ctx, addrs[i%len(addrs)], i)
		if err != nil {
			return workers, err
		}
		workers = append(workers, w)
	}
	return workers, nil
}

func closeAll(workers []*worker) {
	for _, w := range workers {
		w.close()
	}
}

// lastWait is for how long replies are waited for after the end, when they count no more.
const lastWait = time.Second

// hurry keeps connections to lastWait once ctx has ended, until the workers are done.
func hurry(ctx context.Context, workers []*worker, done <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-done:
		return
	}
	for wait := lastWait; ; wait = 0 { // again, as who was about to send has given itself ioTimeout meanwhile
		setDeadlines(workers, time.Now().Add(wait))
		select {
		case <-done:
			return
		case <-time.After(lastWait):
		}
	}
}

func setDeadlines(workers []*worker, t time.Time) {
	for _, w := range workers {
		if w.conn != nil { // a store notices itself that its context has ended
			_ = w.conn.nc.SetDeadline(t)
		}
	}
}

func (s *shared) measure(ctx context.Context, workers []*worker) (Result, error) {
	var wg sync.WaitGroup
	watched, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	// An interruption ends the measurement first, then the workers: what they leave is not answered, otherwise.
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer wg.Wait()
	defer stop()
	done := make(chan struct{})
	wg.Go(func() { hurry(run, workers, done) })
	wg.Go(func() {
		defer close(done)
		if err := s.drive(run, workers); err != nil {
			fail(err)
		}
	})
	select {
	case <-watched.Done():
		return Result{}, context.Cause(watched)
	case <-time.After(s.plan.Warmup):
	}
	if err := s.rec.begin(); err != nil {
		return Result{}, err
	}
	err := s.watch(watched)
	// What interrupts this may have ended the servers too, whose CPU time can't be read then: that is no reason to tell nothing.
	if err = errors.Join(err, s.rec.end()); err != nil && ctx.Err() == nil {
		return Result{}, err
	}
	stop()
	wg.Wait() // for what is overdue
	res := s.rec.result()
	if err != nil {
		res.Interrupted = true
		return res, fmt.Errorf("interrupted after %v: %w", res.Elapsed.Round(time.Millisecond), err)
	}
	return res, res.failed()
}

// drive lets the workers send until ctx ends. An error: they can't.
func (s *shared) drive(ctx context.Context, workers []*worker) error {
	if s.plan.Rate > 0 {
		if done, err := s.openLoop(ctx, workers); done || err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() { w.loop(ctx) })
	}
	wg.Wait()
	return nil
}

// progressEvery is the time between calls of Plan.Progress.
const progressEvery = 200 * time.Millisecond

// watch lets the measurement run its time, cuts it into intervals and reports progress.
func (s *shared) watch(ctx context.Context) error {
	interval := s.plan.Interval
	if interval == 0 {
		interval = time.Second
	}
	end := time.NewTimer(s.plan.Duration)
	defer end.Stop()
	cut, show := time.NewTicker(interval), time.NewTicker(progressEvery)
	defer cut.Stop()
	defer show.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end.C:
			return nil
		case <-cut.C:
			// The end cuts the last interval itself; a cut right before it would leave a sliver.
			if s.plan.Duration-time.Since(s.rec.start) < interval/2 {
				continue
			}
			if err := s.rec.endInterval(); err != nil {
				return err
			}
		case <-show.C:
			if p := s.plan.Progress; p != nil {
				p(s.rec.progress())
			}
		}
	}
}
