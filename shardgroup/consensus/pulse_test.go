package consensus

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever waits for a beat is woken when it is his turn next, whatever the order in which they came.
func TestBeatsComeAtEqualDistances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 150 * time.Millisecond
		var b beats
		b.init(every)
		var woken atomic.Int64
		for start := range 40 {
			for _, turn := range [][2]int64{{6, 7}, {0, 1}, {0, 7}, {1, 2}} {
				began, k, of := time.Now(), turn[0], turn[1]
				beat := b.turn(k, of)
				go func() {
					<-beat
					woken.Add(1)
					since, took := time.Since(b.base), time.Since(began)
					if since%every != 0 || int64(since/every)%of != k || took <= 0 || took > time.Duration(of)*every {
						t.Errorf("start %d, beat %d of %d: came after %v, which is %.3f beats after the first", start, k, of, took, float64(since)/float64(every))
					}
				}()
				time.Sleep(7 * time.Millisecond)
			}
			time.Sleep(time.Duration(start) * 13 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if woken.Load() != 160 || len(b.waiting) != 0 {
			t.Errorf("%d of 160 were woken; %d beats are kept", woken.Load(), len(b.waiting))
		}
	})
}

// While somebody watches, a standstill is noticed by whoever looks first, and is remembered.
func TestThePulseNoticesAStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lease = 400 * time.Millisecond
		p := NewPulse(lease)
		still := func() bool { return p.stoodStill(time.Now()) }
		if !still() {
			t.Error("nobody has watched, and it is certain that the process did not stand still")
		}
		first := p.watch()
		began := *p.suspect.Load()
		second := p.watch()
		for range 100 {
			time.Sleep(33 * time.Millisecond)
			if still() {
				t.Fatal("a process that runs stands still")
			}
		}
		first()
		time.Sleep(lease + time.Millisecond) // between two looks
		if still() || !p.suspect.Load().Equal(began) {
			t.Errorf("when one of two does not watch any more: stood still: %v, suspect since %v after the start", still(), p.suspect.Load().Sub(began))
		}

		p.timer.Stop() // as if the process stood still
		time.Sleep(lease)
		if !still() {
			t.Error("nobody notices before the pulse does")
		}
		now := time.Now()
		p.look()
		if still() || !p.suspect.Load().Equal(now) {
			t.Errorf("after the pulse has noticed: stood still: %v, suspect since %v before", still(), now.Sub(*p.suspect.Load()))
		}

		second()
		time.Sleep(lease)
		if !still() {
			t.Error("somebody goes on watching")
		}
		later := time.Now()
		defer p.watch()()
		if still() || !p.suspect.Load().Equal(later) {
			t.Error("who begins to watch trusts in what was before")
		}
	})
}
