package consensus

import (
	"sync"
	"sync/atomic"
	"time"
)

// Gate decides whether this replica may answer reads from its own state, linearizably. The order is always: Enter (or
// Confirm), read, Check, reply; if Check says no, the result is thrown away. Enter and Check neither lock nor allocate.
type Gate struct {
	r     *Replica
	reads Reads
	lease time.Duration
	// ready is the term in which this replica leads and has applied its barrier; 0 if there is none.
	ready atomic.Uint64

	// beat is when the pulse last ran, with both clocks' readings. If the pulse is late, or the wall clock and the
	// monotonic clock have moved apart, this process or its machine stood still for a while.
	beat atomic.Pointer[time.Time]
	// suspect is set when that has happened: leases hold again when a quorum has accepted something sent after it.
	suspect atomic.Pointer[time.Time]

	mu     sync.Mutex
	next   *round // joined by those who arrive while a round is under way; nil if nobody has
	kick   chan struct{}
	rounds atomic.Uint64
}

// Ticket is a permission that Check examines again after the read. It is good for one pipeline of reads.
type Ticket struct {
	term      uint64
	confirmed bool
}

func (g *Gate) init(r *Replica) {
	g.r, g.reads, g.lease, g.kick = r, r.cfg.Reads, r.cfg.Timing.Lease, make(chan struct{}, 1)
}

// Enter opens the fast path: this replica leads and has applied everything of earlier terms. False in quorum mode and on
// followers. Whether the lease holds is for Check to say: looking at the clock before the read as well proves nothing more.
func (g *Gate) Enter() (Ticket, bool) {
	t := Ticket{term: g.ready.Load()}
	return t, t.term != 0 && g.reads == Lease
}

// Check reports whether what was read between the ticket's issue and now, which was taken after the read, may be sent to a client.
// The lease is looked at after the read: a process that stood still in between finds it expired (lease hazard 7).
func (g *Gate) Check(t Ticket, now time.Time) bool {
	if t.confirmed {
		// The round began after the read arrived; what was read since is at least as new. It must be the same term
		// still, because a restarted instance begins with an older state.
		return g.leads(t.term)
	}
	return g.holds(t.term, now)
}

func (g *Gate) leads(term uint64) bool {
	inst := g.r.current.Load()
	return inst != nil && term != 0 && g.ready.Load() == term && inst.leads(term)
}

func (g *Gate) holds(term uint64, now time.Time) bool {
	if !g.leads(term) || g.r.cfg.off.Lease {
		return g.leads(term)
	}
	until, ok := g.r.cfg.Transport.LeaseUntil(term)
	if !ok {
		return false
	}
	beat := g.beat.Load()
	if beat == nil || g.stoodStill(between(*beat, now)) || !now.Before(until) {
		return false
	}
	suspect := g.suspect.Load()
	if suspect == nil {
		return true
	}
	sent, ok := g.r.cfg.Transport.QuorumSent(term)
	return ok && sent.After(*suspect)
}

// stoodStill reports whether the time since the last beat is longer than the pulse's period explains, or is not the same
// on both clocks: the monotonic clock stops while a machine is suspended, the wall clock does not (lease hazard 8).
func (g *Gate) stoodStill(elapsed, wall time.Duration) bool {
	return elapsed > g.lease/2 || (wall-elapsed).Abs() > g.lease/4
}

// between measures from a to b by the monotonic and by the wall clock.
func between(a, b time.Time) (elapsed, wall time.Duration) {
	return b.Sub(a), time.Duration(b.UnixNano() - a.UnixNano())
}

// pulse beats until the term ends. Without leases there is nothing to watch. It cannot know whether the process stood
// still before it began, so the first lease of a term is one whose acknowledged messages were sent after that.
func (g *Gate) pulse(inst *instance, term uint64) {
	if g.reads != Lease {
		return
	}
	start := time.Now()
	g.suspect.Store(&start)
	g.beat.Store(&start)
	timer := time.NewTimer(untilPulse(g.lease / 4))
	defer timer.Stop()
	for inst.leads(term) {
		select {
		case <-timer.C:
			timer.Reset(untilPulse(g.lease / 4))
			if inst.leads(term) {
				g.tick(term)
			}
		case <-inst.ended:
			return
		}
	}
}

// untilPulse is the time until the next pulse, at most every. Those of all groups come together, so that they share a wake-up
// of the process.
func untilPulse(every time.Duration) time.Duration {
	return every - time.Duration(time.Now().UnixNano())%every
}

// untilLastPulse is the time until the last pulse that comes within limit.
func untilLastPulse(limit, every time.Duration) time.Duration {
	return limit - time.Duration(time.Now().Add(limit).UnixNano())%every
}

func (g *Gate) tick(term uint64) {
	now := time.Now()
	if g.stoodStill(between(*g.beat.Load(), now)) {
		g.suspect.Store(&now)
	} else if s := g.suspect.Load(); s != nil {
		if sent, ok := g.r.cfg.Transport.QuorumSent(term); ok && sent.After(*s) {
			g.suspect.Store(nil)
		}
	}
	g.beat.Store(&now)
}
