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

// Watch times one operation at a time and latches those that take too long. Its timer is set once in a while, not by each
// operation: a write into the page cache takes a microsecond, and setting and stopping a timer a fifth of that.
type Watch struct {
	latch *Latch
	limit time.Duration
	op    string
	timer *time.Timer
	base  time.Time
	// began is when the operation under way began, in nanoseconds after base; 0 if none is.
	began atomic.Int64
	// armed: the timer runs, and will look at began. Whoever sets began looks at armed afterwards; the timer's function looks
	// at began after it has cleared armed. So one of the two sees to it that every operation is timed.
	armed atomic.Bool
}

// Watch gives a watch whose op ("write", "sync") must end within limit. It starts no goroutine.
func (l *Latch) Watch(op string, limit time.Duration) *Watch {
	w := &Watch{latch: l, limit: limit, op: op, base: time.Now()}
	w.timer = time.AfterFunc(limit, w.look)
	w.timer.Stop()
	return w
}

func (w *Watch) now() int64 { return int64(time.Since(w.base)) + 1 }

// look is what the timer does: it waits for the rest of the operation that is under way, and sleeps if there is none.
func (w *Watch) look() {
	began := w.began.Load()
	if began == 0 {
		w.armed.Store(false)
		if began = w.began.Load(); began == 0 || !w.armed.CompareAndSwap(false, true) {
			return
		}
	}
	if left := w.limit - time.Duration(w.now()-began); left > 0 {
		w.timer.Reset(left)
		return
	}
	w.latch.Fail(fmt.Errorf("%s did not end within %v: the disk is stuck, or far too slow for a log", w.op, w.limit))
}

// Start begins an operation.
func (w *Watch) Start() {
	w.began.Store(w.now())
	if w.armed.CompareAndSwap(false, true) {
		w.timer.Reset(w.limit)
	}
}

// Done ends it. Its result is nil only if the operation succeeded in time and nothing failed before.
func (w *Watch) Done(err error) error {
	w.began.Store(0)
	if err != nil {
		return w.latch.Fail(fmt.Errorf("%s: %w", w.op, err))
	}
	return w.latch.Err()
}
