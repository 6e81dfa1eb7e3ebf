// Package stall notices operations that take too long, without setting a timer for each: a write into the page cache or
// to a socket takes a microsecond or a few, and setting and stopping a timer a good part of one.
package stall

import (
	"sync/atomic"
	"time"
)

// Watch times one operation at a time. Its timer is set once in a while, not by each operation.
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
		w.timer.Reset(w.limit)
	}
}

// Done ends it and reports whether it took less than the limit. (If the whole process stood still with it, stalled
// could not be called in time.)
func (w *Watch) Done() (inTime bool) {
	inTime = w.now()-w.began.Load() < int64(w.limit)
	w.began.Store(0)
	return inTime
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
	w.stalled()
}
