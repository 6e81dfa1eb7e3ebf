package shardgroup

import "time"

// rally waits a moment, after an entry, for the clients that were just answered: busy ones ask again at once, and what an entry
// costs hardly depends on how many commands are in it, so that one for all of them costs half of what two for half of them cost.
//
// The wait is limited by how much longer entries take than they could. That is time spent in queues, for processors or for the
// disk, and the fewer entries, the shorter those queues. Where nothing queues, an entry takes what it must, and nobody waits.
// Delay-based congestion control of TCP reads round trips in the same way (Brakmo and Peterson, "TCP Vegas", 1995).
type rally struct {
	// expected is how many calls there will be if all come back: those of the last entry and those that waited meanwhile.
	// It is 0 when the rally is over.
	expected int
	// since is when the last entry was applied.
	since time.Time
	// usual is what entries took lately. best is the least that one took since bestSince, before the least in the stretch of
	// time ahead of that.
	usual, best, before time.Duration
	bestSince           time.Time
}

const (
	// longestRally is the longest wait.
	longestRally = 5 * time.Millisecond
	// rallyShare is how often the time that an entry usually spends in queues is waited at most. 1 gives closed loops the same
	// throughput, but fixed rates a p99 that is a tenth higher; 4 costs closed loops with durability always a fifth.
	rallyShare = 2
	// bestFor is how long the best entry is remembered, at least: longer than a snapshot or a compaction lasts, shorter than
	// it takes to get used to a slower disk.
	bestFor = 10 * time.Second
	// usualOver is over about how many entries their usual time is the mean. One of them counts for at most usualMost times
	// the mean so far: a processor or a disk that stood still for once is no reason to wait.
	usualOver, usualMost = 8, 4
)

// call begins a rally after an entry.
func (r *rally) call(expected int, took time.Duration) {
	now := time.Now()
	switch {
	case r.bestSince.IsZero():
		r.usual, r.best, r.before, r.bestSince = took, took, took, now
	case now.Sub(r.bestSince) > bestFor:
		r.best, r.before, r.bestSince = took, r.best, now
	}
	r.best = min(r.best, took)
	r.usual += (min(took, usualMost*r.usual) - r.usual) / usualOver
	r.expected, r.since = expected, now
}

// left is how long to wait for more calls than these.
func (r *rally) left(calls int, now time.Time) time.Duration {
	if calls == 0 || r.expected == 0 {
		return 0
	}
	left := r.limit() - now.Sub(r.since)
	if calls >= r.expected || left <= 0 {
		r.expected = 0
		return 0
	}
	return left
}

// limit is how long to wait after an entry for all that are expected.
func (r *rally) limit() time.Duration {
	return min(rallyShare*(r.usual-min(r.best, r.before)), longestRally)
}
