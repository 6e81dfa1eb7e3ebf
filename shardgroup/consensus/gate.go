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
	pulse *Pulse
	// ready is the term in which this replica leads and has applied its barrier; 0 if there is none.
	ready atomic.Uint64

	mu     sync.Mutex
	next   *round // joined by those who arrive while a round is under way; nil if nobody has
	closed bool   // there will be no more rounds
	kick   chan struct{}
	rounds atomic.Uint64
}

// Ticket is a permission that Check examines again after the read. It is good for one pipeline of reads.
type Ticket struct {
	term      uint64
	confirmed bool
}

func (g *Gate) init(r *Replica) {
	g.r, g.reads, g.pulse, g.kick = r, r.cfg.Reads, r.cfg.Pulse, make(chan struct{}, 1)
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
	return term != 0 && g.ready.Load() == term && g.r.leads(term)
}

func (g *Gate) holds(term uint64, now time.Time) bool {
	if !g.leads(term) || g.r.cfg.off.Lease {
		return g.leads(term)
	}
	until, ok := g.r.cfg.Transport.LeaseUntil(term)
	if !ok || !now.Before(until) || g.pulse.stoodStill(now) {
		return false
	}
	sent, ok := g.r.cfg.Transport.QuorumSent(term)
	return ok && sent.After(*g.pulse.suspect.Load())
}
