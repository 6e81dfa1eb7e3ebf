package shardgroup

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/placement/topology"
)

const quickEntry, slowEntry = 300 * time.Microsecond, 1200 * time.Microsecond

// rallies has a rally see that many entries of ten calls, without a break.
func rallies(r *rally, n int, took time.Duration) {
	for range n {
		time.Sleep(took)
		r.begin(10, took)
	}
}

func wantWait(t *testing.T, r *rally, after time.Duration, calls int, want time.Duration) {
	t.Helper()
	if got := r.left(calls, r.since.Add(after)); got < want-want/20 || got > want+time.Microsecond {
		t.Errorf("%v after an entry, %d calls of %d wait for %v, want %v", after, calls, r.expected, got, want)
	}
}

// Entries that take longer than they could are made fewer, and others are not.
func TestRallyWaitsWhileEntriesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rally
		rallies(&r, 100, quickEntry)
		wantWait(t, &r, 0, 9, 0)
		rallies(&r, 100, slowEntry)
		wantWait(t, &r, 0, 9, rallyShare*(slowEntry-quickEntry))
		wantWait(t, &r, slowEntry, 9, rallyShare*(slowEntry-quickEntry)-slowEntry)
		wantWait(t, &r, 0, 0, 0)
		rallies(&r, 100, quickEntry)
		wantWait(t, &r, 0, 9, 0)
		rallies(&r, 100, quickEntry+shortestRally/3)
		wantWait(t, &r, 0, 9, 0)
	})
}

// A rally ends when all have come or its time is over, and doesn't begin again before the next entry.
func TestRallyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rally
		rallies(&r, 1, quickEntry)
		rallies(&r, 100, slowEntry)
		wantWait(t, &r, 0, 10, 0)
		wantWait(t, &r, 0, 9, 0)
		rallies(&r, 1, slowEntry)
		wantWait(t, &r, 0, 9, rallyShare*(slowEntry-quickEntry))
		wantWait(t, &r, rallyShare*(slowEntry-quickEntry), 9, 0)
		wantWait(t, &r, 0, 9, 0)
		rallies(&r, 1, slowEntry)
		wantWait(t, &r, 0, 1, rallyShare*(slowEntry-quickEntry))
	})
}

// One entry that stood still changes little, and no number of them makes calls wait for longer than longestRally.
func TestRallyBearsStandstills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rally
		rallies(&r, 100, quickEntry)
		rallies(&r, 1, time.Second)
		wantWait(t, &r, 0, 1, rallyShare*(usualMost-1)*quickEntry/usualOver)
		rallies(&r, 8, time.Second)
		wantWait(t, &r, 0, 1, longestRally)
	})
}

// What entries are compared with is forgotten: sooner or later while there are any, and at once after a long time without.
func TestRallyForgetsTheBest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rally
		rallies(&r, 100, quickEntry)
		for range 2 { // the stretch that it was best in, and the one after that
			rallies(&r, int(bestFor*4/5/slowEntry), slowEntry)
			wantWait(t, &r, 0, 9, rallyShare*(slowEntry-quickEntry))
		}
		rallies(&r, int(bestFor/slowEntry), slowEntry)
		wantWait(t, &r, 0, 9, 0)

		rallies(&r, 100, quickEntry)
		time.Sleep(2*bestFor + time.Second)
		rallies(&r, 100, slowEntry)
		wantWait(t, &r, 0, 9, 0)
	})
}

// crowd asks a leader for one write from each of n clients at once. It returns how long it took until all were answered.
func crowd(t *testing.T, l *node, n int) time.Duration {
	t.Helper()
	started, done := time.Now(), make(chan error, n)
	for range n {
		c := calling("INCR crowd")
		c.Done = func(c *Call) { done <- c.Err }
		l.Submit(c)
	}
	for range n {
		if err := <-done; err != nil {
			t.Errorf("one of %d writes: %v", n, err)
		}
	}
	return time.Since(started)
}

// congested is a cluster whose entries take four times as long as they once did, and how long that is.
func congested(t *testing.T) (*node, time.Duration) {
	c := newCluster(t, nil)
	l := c.leader()
	delay := func(d time.Duration) {
		c.net.SetDelay(func(topology.NodeID, topology.NodeID) time.Duration { return d })
	}
	delay(250 * time.Microsecond)
	for range 10 {
		time.Sleep(longestRally)
		crowd(t, l, 5)
	}
	delay(time.Millisecond)
	took := time.Duration(0)
	for range 100 {
		time.Sleep(longestRally)
		took = crowd(t, l, 5)
	}
	return l, took
}

// Calls wait for others that were answered with them, not for longer than the rally lasts, and neither full entries nor
// handing leadership over nor closing wait for it.
func TestBatcherRallies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, took := congested(t)
		if again := crowd(t, l, 5); again != took {
			t.Errorf("all who were answered ask again: answered after %v, want %v", again, took)
		}
		synctest.Wait()
		patience := l.rally.patience()
		if waited := crowd(t, l, 4) - took; patience < took/2 || waited < patience || waited > patience+time.Millisecond {
			t.Errorf("one who was answered is missing: the others waited for %v, want %v", waited, patience)
		}
		crowd(t, l, 5)
		full := calling("SET big " + string(make([]byte, l.cfg.Limits.EntryBytes)))
		done := make(chan error, 1)
		full.Done = func(c *Call) { done <- c.Err }
		started := time.Now()
		l.Submit(full)
		if err := <-done; err != nil || time.Since(started) > 2*took {
			t.Errorf("an entry that was full: %v after %v", err, time.Since(started))
		}
	})
}

func TestClosingDoesNotRally(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, took := congested(t)
		crowd(t, l, 5)
		done := make(chan error, 1)
		c := calling("INCR crowd")
		c.Done = func(c *Call) { done <- c.Err }
		started := time.Now()
		l.Submit(c)
		l.queue.close()
		if err := <-done; err != nil && !errors.Is(err, ErrNoLeader) || time.Since(started) > took+time.Millisecond {
			t.Errorf("a call that a closing group had taken: %v after %v", err, time.Since(started))
		}
	})
}
