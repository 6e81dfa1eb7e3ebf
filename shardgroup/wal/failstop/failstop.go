// Package failstop ends a process whose disk has failed it.
//
// A write or sync that failed is never tried again: the kernel may have dropped the pages and report success the next
// time (fsyncgate, https://wiki.postgresql.org/wiki/Fsync_Errors). One that hangs is no better: a leader that cannot
// store keeps its leadership through heartbeats (hashicorp/raft#503, #612, #614, #666). Both are fatal here.
package failstop

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/shardgroup/stall"
)

// Latch remembers the first failure for ever.
type Latch struct {
	fatal func(error)
	err   atomic.Pointer[error]
}

// NewLatch gives a latch that calls fatal at most once, with the first failure. fatal should end the process; it may
// be called by any goroutine and must not call back into the store that failed.
func NewLatch(fatal func(error)) *Latch { return &Latch{fatal: fatal} }

// Err is the failure, or nil. Every operation asks it first.
func (l *Latch) Err() error {
	if p := l.err.Load(); p != nil {
		return *p
	}
	return nil
}

// Fail latches err, unless there was a failure before, and returns what is latched.
func (l *Latch) Fail(err error) error {
	if l.err.CompareAndSwap(nil, &err) {
		l.fatal(err)
	}
	return l.Err()
}

// Watch times one operation at a time and latches those that take too long.
type Watch struct {
	latch *Latch
	op    string
	late  error
	watch *stall.Watch
}

// Watch gives a watch whose op ("write", "sync") must end within limit. It starts no goroutine.
func (l *Latch) Watch(op string, limit time.Duration) *Watch {
	w := &Watch{latch: l, op: op, late: fmt.Errorf("%s did not end within %v (stall-timeout): the disk is stuck, or far too slow for a log", op, limit)}
	w.watch = stall.New(limit, func() { l.Fail(w.late) })
	return w
}

// Start begins an operation.
func (w *Watch) Start() { w.watch.Start() }

// Done ends it. Its result is nil only if the operation succeeded in time and nothing failed before.
func (w *Watch) Done(err error) error {
	inTime := w.watch.Done()
	switch {
	case !inTime:
		return w.latch.Fail(w.late)
	case err != nil:
		return w.latch.Fail(fmt.Errorf("%s: %w", w.op, err))
	}
	return w.latch.Err()
}
