package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/client"
)

const (
	// fillPipeline is how many SETs Fill sends at once, if their values have fillBytes together at most.
	fillPipeline = 128
	fillBytes    = 1 << 20
	// fillStores is how many connections Fill opens to a store without pipelines.
	fillStores = 64
	// fillTries is how often Fill begins, and fillPause how long it waits before it begins again.
	fillTries = 5
	fillPause = 500 * time.Millisecond
)

// Fill writes every key, so that a later measurement of reads hits. If a group changes its leader meanwhile, it begins again. Progress
// is told of the keys written.
func Fill(ctx context.Context, p Plan) error {
	if err := p.Check(); err != nil {
		return err
	}
	p.Absent = 0 // those are the keys not to write
	for tries := 1; ; tries++ {
		err := fill(ctx, p)
		var refusal *client.ReplyError
		if tries == fillTries || !errors.As(err, &refusal) || !slices.Contains(passing, refusal.Code()) {
			return err
		}
		select {
		case <-time.After(fillPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// passing are the codes of errors that go when a group has a leader again, and clients know it.
var passing = []string{"MOVED", "UNCERTAIN", "CLUSTERDOWN", "TRYAGAIN"}

// fill writes every key once.
func fill(ctx context.Context, p Plan) error {
	keys, err := ownedKeys(ctx, p)
	if err != nil {
		return err
	}
	s := &shared{plan: p, keys: keys, rec: newRecorder(p)}
	var wg sync.WaitGroup
	var done atomic.Int64
	parts := s.fillParts()
	errs := make([]error, len(parts))
	for i, part := range parts {
		wg.Go(func() { errs[i] = s.fill(ctx, i, part, &done) })
	}
	filled := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() { s.reportFill(&done, filled) })
	wg.Wait()
	close(filled)
	reporter.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// reportFill tells of progress until filled is closed.
func (s *shared) reportFill(done *atomic.Int64, filled <-chan struct{}) {
	if s.plan.Progress == nil {
		return
	}
	start, show := time.Now(), time.NewTicker(progressEvery)
	defer show.Stop()
	for {
		select {
		case <-filled:
			return
		case <-show.C:
			s.plan.Progress(Progress{Elapsed: time.Since(start), Ops: done.Load()})
		}
	}
}

// fillPart is what one connection fills.
type fillPart struct {
	addr string
	keys []uint32
}

// fillParts gives each node one connection, and a store without pipelines many.
func (s *shared) fillParts() (out []fillPart) {
	for addr, own := range s.keys {
		n := 1
		if s.plan.Open != nil {
			n = min(fillStores, len(own.present))
		}
		for i := range n {
			out = append(out, fillPart{addr, own.present[i*len(own.present)/n : (i+1)*len(own.present)/n]})
		}
	}
	return out
}

// fillBatch is how many SETs are sent at once.
func (s *shared) fillBatch() int {
	return max(1, min(fillPipeline, fillBytes/max(1, s.plan.ValueSize)))
}

func (s *shared) fill(ctx context.Context, i int, part fillPart, done *atomic.Int64) error {
	w, err := s.dial(ctx, part.addr, i)
	if err != nil {
		return err
	}
	defer w.close()
	for own := part.keys; len(own) > 0 && ctx.Err() == nil; {
		n := min(len(own), s.fillBatch())
		if err := w.write(ctx, own[:n]); err != nil {
			return fmt.Errorf("fill %s: %w", part.addr, err)
		}
		if e := s.rec.firstErr.Load(); e != nil {
			by, text, _ := strings.Cut(*e, ": ")
			return fmt.Errorf("fill %s: %s: %w", part.addr, by, &client.ReplyError{Text: text})
		}
		own = own[n:]
		done.Add(int64(n))
	}
	return ctx.Err()
}
