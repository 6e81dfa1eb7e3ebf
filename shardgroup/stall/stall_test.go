package stall

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestStallWhileTheTimerRuns: the timer that earlier operations have set gives a later one its full time, and no more.
func TestStallWhileTheTimerRuns(t *testing.T) {
	for idle := range 25 { // between the operations, in steps that meet the timer before, at and behind its end
		synctest.Test(t, func(t *testing.T) {
			var stalls atomic.Int32
			w := New(time.Second, func() { stalls.Add(1) })
			for range 3 {
				w.Start()
				time.Sleep(10 * time.Millisecond)
				if !w.Done() {
					t.Fatal("10 ms were too long")
				}
			}
			time.Sleep(time.Duration(idle) * 100 * time.Millisecond)
			w.Start()
			time.Sleep(time.Second - 1)
			synctest.Wait()
			if n := stalls.Load(); n != 0 {
				t.Fatalf("after %d00 ms of rest: %d stalls before the limit", idle, n)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if n := stalls.Load(); n != 1 {
				t.Fatalf("after %d00 ms of rest: %d stalls at the limit", idle, n)
			}
			if w.Done() {
				t.Error("done in time after the limit")
			}
			time.Sleep(time.Hour)
			if n := stalls.Load(); n != 1 {
				t.Errorf("one stall was told %d times", n)
			}
		})
	}
}

func TestQuickOperationsAndRestDoNotStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(time.Second, func() { t.Error("stalled") })
		for i := range 300 {
			w.Start()
			time.Sleep(time.Duration(i%100) * 10 * time.Millisecond)
			w.Done()
		}
		time.Sleep(time.Hour)
	})
}

func BenchmarkWatch(b *testing.B) {
	w := New(time.Minute, func() { b.Error("stalled") })
	for b.Loop() {
		w.Start()
		w.Done()
	}
}

// A process that stands still for longer than the limit comes back to an operation that began before: it is not stalled, unless it goes on for
// as long as is allowed. Found by the harness (multi-key × snapshot-behind+pause-leader, seed 25): a node ended itself after a
// pause of more than ten seconds.
func TestAStandstillIsNoStall(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var stalls atomic.Int32
			w := New(time.Second, func() { stalls.Add(1) })
			w.Start()
			time.Sleep(300 * time.Millisecond)
			for _, at := range []*atomic.Int64{&w.began, &w.due} {
				at.Add(-int64(1100 * time.Millisecond)) // as if the clock had gone on and the timer had not
			}
			time.Sleep(699 * time.Millisecond)
			synctest.Wait()
			if n := stalls.Load(); n != 0 {
				t.Fatalf("%d stalls within the limit, the standstill left out", n)
			}
			if stuck {
				time.Sleep(time.Millisecond)
				synctest.Wait()
			}
			if inTime := w.Done(); inTime == stuck || (stalls.Load() == 1) != stuck {
				t.Errorf("stuck: %v; in time: %v, %d stalls", stuck, inTime, stalls.Load())
			}
		})
	}
}
