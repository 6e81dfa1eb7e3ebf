package consensus

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Pulse is what the replicas of a process do by the clock, dozens of times a second each if they had timers of their own: it
// notices that the process stood still, for the leases of all of them, and has their heartbeats leave together (beats). It sets
// timers only while somebody needs them, and so has no end.
type Pulse struct {
	lease time.Duration
	// beats come every 150 ms if the lease is 400 ms long. That is longer than raft's longest pause, 100 ms, so each takes a
	// heartbeat of every idle group along, and one may be lost before its lease ends.
	beats beats

	// last is when it was last seen that the process runs, with both clocks' readings. If that is long ago, or the wall clock
	// and the monotonic clock have moved apart since, this process or its machine stood still for a while.
	last atomic.Pointer[time.Time]
	// suspect is when that was noticed last, or when nobody had watched before: leases hold if a quorum has accepted something
	// sent after it.
	suspect atomic.Pointer[time.Time]

	mu sync.Mutex
	// watchers counts the replicas that lead. timer runs while there are any.
	watchers int
	timer    *time.Timer
}

// NewPulse gives a pulse for replicas with that Timing.Lease.
func NewPulse(lease time.Duration) *Pulse {
	p := &Pulse{lease: lease}
	p.beats.init(lease * 3 / 8)
	return p
}

// watch keeps an eye on the process until done is called. Nobody knows whether it stood still before, unless somebody else
// watches already, so the first lease is one whose acknowledged messages were sent after that.
func (p *Pulse) watch() (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watchers++; p.watchers == 1 {
		now := time.Now()
		p.suspect.Store(&now)
		p.last.Store(&now)
		p.timer = time.AfterFunc(p.untilLook(), p.look)
	}
	return p.unwatch
}

func (p *Pulse) unwatch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watchers--; p.watchers == 0 {
		p.timer.Stop()
	}
}

// look is what the timer does.
func (p *Pulse) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watchers == 0 {
		return
	}
	now := time.Now()
	if p.stoodStill(now) {
		p.suspect.Store(&now)
	}
	p.last.Store(&now)
	p.timer.Reset(p.untilLook())
}

// untilLook is the time until the next look. Every third one comes with a beat.
func (p *Pulse) untilLook() time.Duration {
	every := p.lease / 4
	return every - time.Since(p.beats.base)%every
}

// stoodStill reports whether the process may have stood still for too long before now, and nobody has noticed yet.
func (p *Pulse) stoodStill(now time.Time) bool {
	last := p.last.Load()
	return last == nil || standstill(p.lease, now.Sub(*last), time.Duration(now.UnixNano()-last.UnixNano()))
}

// standstill reports whether the time since the last look, by the monotonic and by the wall clock, is longer than the pulse's
// period explains, or is not the same on both: the monotonic clock stops while a machine is suspended, the wall clock does
// not (lease hazard 8).
func standstill(lease, elapsed, wall time.Duration) bool {
	return elapsed > lease/2 || (wall-elapsed).Abs() > lease/4
}

// beats are moments that come at equal distances.
type beats struct {
	every time.Duration
	base  time.Time

	mu sync.Mutex
	// waiting are those who wait for a beat, by its number; next is the smallest of these, for which the timer is set.
	waiting map[int64]chan struct{}
	next    int64
	timer   *time.Timer
}

// init has beats come when the wall clock shows a multiple of every, as it goes now: at about the same time on all nodes of a
// cluster, so that the heartbeats of others find a process that is up for its own.
func (b *beats) init(every time.Duration) {
	now := time.Now()
	b.every, b.base = every, now.Add(-time.Duration(now.UnixNano())%every)
	b.waiting = map[int64]chan struct{}{}
}

// turn returns a channel that is closed at the next beat whose number is k modulo of.
func (b *beats) turn(k, of int64) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := int64(time.Since(b.base)/b.every) + 1
	n += ((k-n)%of + of) % of
	c := b.waiting[n]
	if c == nil {
		c = make(chan struct{})
		b.waiting[n] = c
		if len(b.waiting) == 1 || n < b.next {
			b.set(n)
		}
	}
	return c
}

// set sets the timer to beat n.
func (b *beats) set(n int64) {
	b.next = n
	left := time.Duration(n)*b.every - time.Since(b.base)
	if b.timer == nil {
		b.timer = time.AfterFunc(left, b.beat)
	} else {
		b.timer.Reset(left)
	}
}

// beat is what the timer does.
func (b *beats) beat() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.waiting[b.next]; c != nil {
		close(c)
		delete(b.waiting, b.next)
	}
	if len(b.waiting) > 0 {
		b.set(slices.Min(slices.Collect(maps.Keys(b.waiting))))
	}
}
