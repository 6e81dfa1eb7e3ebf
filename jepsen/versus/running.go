package versus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
)

// running is a started system.
type running struct {
	addrs []string
	pids  []int
	// command is the first process's command line, version what the program says about itself.
	command, version string
	open             func(ctx context.Context, i int) (load.Store, error)
	// nodes are Quorate's processes.
	nodes []*process.Node
	// exited is an error if a process has ended; stop ends them all.
	exited func() error
	stop   func()
	// dir holds data and logs.
	dir string
}

// startIn starts s with its data in site.Dir, which is made if need be.
func startIn(ctx context.Context, site Site, s System) (*running, error) {
	if err := os.MkdirAll(site.Dir, 0o700); err != nil {
		return nil, err
	}
	r, err := s.start(ctx, site)
	if err != nil {
		_ = os.Remove(site.Dir) // unless it holds logs
		return nil, err
	}
	r.dir = site.Dir
	return r, nil
}

// died is an error if a process has ended by itself. That it did after ctx is no news: the terminal sends Ctrl-C to the servers too.
func (r *running) died(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	return r.exited()
}

// dyingTime is how long after what it breaks a process that dies may be gone, and waited for.
const dyingTime = 200 * time.Millisecond

// end stops the servers after a measurement that came to err. A process that had ended before is the reason of whatever else went wrong.
// Data and logs go if nothing did.
func (r *running) end(ctx context.Context, err error) error {
	if err != nil {
		_ = sleep.For(ctx, dyingTime)
	}
	if died := r.died(ctx); died != nil {
		err = died
	}
	r.stop()
	if err == nil {
		_ = os.RemoveAll(r.dir) // what is left costs disk space only, until all of it goes
	}
	return err
}

// await asks until done, or says what it waited for.
func (r *running) await(ctx context.Context, what string, done func() bool) error {
	for {
		if err := r.died(ctx); err != nil {
			return err
		}
		if done() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fillNews is how often fill says how far it is.
const fillNews = 5 * time.Second

// fill writes every key once.
func (r *running) fill(ctx context.Context, p load.Plan, say func(format string, args ...any)) error {
	next := fillNews
	p.Progress = func(now load.Progress) {
		if now.Elapsed >= next {
			next = now.Elapsed + fillNews
			say("  %d of %d keys written", now.Ops, p.Keys)
		}
	}
	return errors.Join(load.Fill(ctx, p), r.died(ctx))
}

// under puts a load on the servers, and asks them before and after its warmup and measurement.
func (r *running) under(ctx context.Context, plan load.Plan) (res load.Result, before, after scrape, err error) {
	if before, err = r.scrape(ctx); err != nil {
		return res, nil, nil, err
	}
	if res, err = load.Run(ctx, plan); err != nil {
		return res, nil, nil, err
	}
	if after, err = r.scrape(ctx); err != nil {
		return res, nil, nil, err
	}
	return res, before, after, r.died(ctx)
}

// resident is the memory of each process.
func (r *running) resident(ctx context.Context) ([]int64, error) {
	all, err := load.ResidentBytes(r.pids)
	return all, errors.Join(err, r.died(ctx))
}
