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
