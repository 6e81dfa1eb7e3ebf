// Package stall notices operations that take too long, without setting a timer for each: a write into the page cache or
// to a socket takes a microsecond or a few, and setting and stopping a timer a good part of one.
package stall

import (
	"sync/atomic"
	"time"
)

// Watch times one operation at a time. Its timer is set once in a while, not by each operation. The time in which the whole
// process stood still (SIGSTOP, a suspended machine) is nobody's fault: the timer comes late then.
type Watch struct {
	limit   time.Duration
	stalled func()
	timer   *time.Timer
	base    time.Time
	// began is when the operation under way began, in nanoseconds after base; 0 if none is.
	began atomic.Int64
	// armed: the timer runs, and will look at began. Whoever sets began looks at armed afterwards; the timer's function looks
	// at began after it has cleared armed. So one of the two sees to it that every operation is timed.
	armed atomic.Bool
	// due is when the timer should call, in nanoseconds after base; told says that stalled was called.
	due  atomic.Int64
	told atomic.Bool
}

// New gives a watch that calls stalled, on a goroutine of its own, when an operation has not ended within limit. That
// ends the watch's work. It starts no goroutine.
func New(limit time.Duration, stalled func()) *Watch {
	w := &Watch{limit: limit, stalled: stalled, base: time.Now()}
	w.timer = time.AfterFunc(limit, w.look)
	w.timer.Stop()
	return w
}

// Start begins an operation.
func (w *Watch) Start() {
	w.began.Store(w.now())
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.wait(w.limit)
	}
}

// Done ends it and reports whether it did so before stalled was called.
func (w *Watch) Done() (inTime bool) {
	w.began.Store(0)
	return !w.told.Load()
}

// Since is how long the operation under way has taken so far; ok is false if none is.
func (w *Watch) Since() (d time.Duration, ok bool) {
	began := w.began.Load()
	return time.Duration(w.now() - began), began != 0
}

// looks is how often the timer calls within the limit: a standstill shows when it comes late by as much as that.
const looks = 8

func (w *Watch) wait(d time.Duration) {
	d = min(d, max(1, w.limit/looks))
	w.due.Store(w.now() + int64(d))
	w.timer.Reset(d)
}

func (w *Watch) now() int64 { return int64(time.Since(w.base)) + 1 }

// look is what the timer does: it waits for the rest of the operation that is under way, and sleeps if there is none.
func (w *Watch) look() {
	late := time.Duration(w.now() - w.due.Load())
	began := w.began.Load()
	if began == 0 {
		w.armed.Store(false)
		if began = w.began.Load(); began == 0 || !w.armed.CompareAndSwap(false, true) {
			return
		}
	}
	if stood := min(late, time.Duration(w.now()-began)); late > w.limit/looks && w.began.CompareAndSwap(began, began+int64(stood)) {
		began += int64(stood)
	}
	if left := w.limit - time.Duration(w.now()-began); left > 0 {
		w.wait(left)
		return
	}
	w.told.Store(true)
	w.stalled()
}
