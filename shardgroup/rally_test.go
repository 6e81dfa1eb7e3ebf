package shardgroup

import (
	"testing"
	"testing/synctest"
	"time"
)

const quick, slow = 300 * time.Microsecond, 1200 * time.Microsecond

// entries has the rally see that many entries of ten calls, without a break.
func (r *rally) entries(n int, took time.Duration) {
	for range n {
		time.Sleep(took)
		r.call(10, took)
	}
}

func (r *rally) wait(t *testing.T, after time.Duration, calls int, want time.Duration) {
	t.Helper()
	if got := r.left(calls, r.since.Add(after)); got < want-want/20 || got > want+time.Microsecond {
		t.Errorf("%v after an entry, %d calls of %d wait for %v, want %v", after, calls, r.expected, got, want)
	}
}

// Entries that take longer than they could are made fewer, and others are not.
func TestRallyWaitsWhileEntriesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rally
		r.entries(100, quick)
		r.wait(t, 0, 9, 0)
		r.entries(100, slow)
		r.wait(t, 0, 9, rallyShare*(slow-quick))
		r.wait(t, slow, 9, rallyShare*(slow-quick)-slow)
		r.wait(t, 0, 0, 0)
		r.entries(100, quick)
		r.wait(t, 0, 9, 0)
	})
}

// A rally ends when all have come or its time is over, and doesn't begin again before the next entry.
func TestRallyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rally
		r.entries(1, quick)
		r.entries(100, slow)
		r.wait(t, 0, 10, 0)
		r.wait(t, 0, 9, 0)
		r.entries(1, slow)
		r.wait(t, 0, 9, rallyShare*(slow-quick))
		r.wait(t, rallyShare*(slow-quick), 9, 0)
		r.wait(t, 0, 9, 0)
		r.entries(1, slow)
		r.wait(t, 0, 1, rallyShare*(slow-quick))
	})
}

// One entry that stood still changes little, and no number of them makes calls wait for longer than longestRally.
func TestRallyBearsStandstills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rally
		r.entries(100, quick)
		r.entries(1, time.Hour)
		r.wait(t, 0, 1, rallyShare*(usualMost-1)*quick/usualOver)
		r.entries(1000, time.Hour)
		r.before = quick
		r.wait(t, 0, 1, longestRally)
	})
}

// A disk that has become slower for good is what entries are compared with after a while.
func TestRallyForgetsTheBest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rally
		r.entries(100, quick)
		r.entries(int(bestFor/slow)-100, slow)
		r.wait(t, 0, 9, rallyShare*(slow-quick))
		r.entries(int(2*bestFor/slow), slow)
		r.wait(t, 0, 9, 0)
	})
}
