package shardgroup

import "time"

// rally waits a moment, after an entry, for the clients that were just answered: busy ones ask again at once, and what a small
// entry costs hardly depends on how many commands are in it, so that one for all of them costs half of what two for half of them cost.
//
// How long it waits depends on how much longer entries take than they could. That is mostly time spent in queues, for processors
// or for the disk, and the fewer entries, the shorter those queues. Delay-based congestion control of TCP reads round trips in
// the same way (Brakmo and Peterson, "TCP Vegas", 1995). DESIGN.md has the measurements.
type rally struct {
	// expected is how many calls there will be if all come back: those of the last entry and those that waited meanwhile.
	// With 0 nobody is waited for.
	expected int
	// since is when the last entry had been applied.
	since time.Time
	// usual is what entries took lately. best is the least that one took since bestSince, before the least in the stretch of
	// time ahead of that.
	usual, best, before time.Duration
	bestSince           time.Time
}

const (
	// shortestRally is the shortest patience that is any: Go's timers ring up to a millisecond late in a process that has
	// nothing else to do.
	shortestRally = 200 * time.Microsecond
	longestRally  = 5 * time.Millisecond
	// rallyShare is how many times the time that entries usually spend in queues is waited at most.
	rallyShare = 2
	// bestFor is how long the best entry is remembered, at least: the queues of some seconds don't pass for what an entry must
	// take, but a slower disk or a farther follower does soon.
	bestFor = 10 * time.Second
	// usualOver is over about how many entries their usual time is the mean. One of them counts for at most usualMost times
	// the mean so far: a processor or a disk that stood still for once is no reason to wait.
	usualOver, usualMost = 8, 4
)

// begin begins a rally after an entry.
func (r *rally) begin(expected int, took time.Duration) {
	now := time.Now()
	switch age := now.Sub(r.bestSince); {
	case age > 2*bestFor: // the first entry, or the first in a long time
		r.usual, r.best, r.before, r.bestSince = took, took, took, now
	case age > bestFor:
		r.best, r.before, r.bestSince = took, r.best, now
	}
	r.best = min(r.best, took)
	r.usual += (min(took, usualMost*max(r.usual, time.Microsecond)) - r.usual) / usualOver
	r.expected, r.since = expected, now
}

// left is how long to wait for more calls than these.
func (r *rally) left(calls int, now time.Time) time.Duration {
	if calls == 0 || r.expected == 0 {
		return 0
	}
	left := r.patience() - now.Sub(r.since)
	if calls >= r.expected || left <= 0 {
		r.expected = 0
		return 0
	}
	return left
}

// patience is how long to wait after an entry for all that are expected.
func (r *rally) patience() time.Duration {
	p := min(rallyShare*(r.usual-min(r.best, r.before)), longestRally)
	if p < shortestRally {
		return 0
	}
	return p
}
