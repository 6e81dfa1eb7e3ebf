package raftnet

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// guard keeps this replica's promises: see DESIGN.md for what they are and why they suffice. Everything that could
// make or break one passes it in the order in which it leaves the node; whatever it refuses is not sent, which
// Raft must survive anyway.
type guard struct {
	lease time.Duration
	off   Off

	// fence is voted, for readers without the lock: once it is above a term, this node's lease of that term is over.
	fence atomic.Uint64

	mu sync.Mutex
	// leader, term, until are the promise: no vote and no candidacy for anybody but leader leaves before until.
	// leader is "" from the start of the process to the first acknowledgement. Invariant: until never goes back.
	leader raft.ServerID
	term   uint64
	until  time.Time
	// others is the end of the promises to anybody else that were running when leader got its first one: until then
	// not even leader gets a vote.
	others time.Time
	// voted is the highest term for which a granted vote or a candidacy has left. Invariant: no acknowledgement of
	// a lower term leaves afterwards.
	voted uint64
	// consent is the newest term whose leader has asked this node to take over: leases up to it are revoked.
	consent uint64
	// held keeps every vote back (a node that has lost its last second must not help to elect) but for chosen; "" is nobody.
	held   bool
	chosen raft.ServerID
	// genuine is when Raft itself last accepted something of (leader, term); installing counts the snapshots of
	// (leader, term) that Raft is busy with.
	genuine    time.Time
	installing int
}

// acknowledge asks whether an acknowledgement of (leader, term) may leave, and if so makes the promise that it carries.
func (g *guard) acknowledge(leader raft.ServerID, term uint64, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if (g.voted > term || g.term > term) && !g.off.Promise {
		return false
	}
	if g.leader != leader || g.term != term {
		g.installing = 0
	}
	if g.leader != leader {
		g.others = g.until
	}
	g.leader, g.term, g.genuine = leader, term, now
	g.extend(now)
	return true
}

// forsaken says whether the leader to which this node made its last promise has fallen silent: the promise has run out, and
// since then this node has neither helped to elect anybody nor led itself. led is the newest term that it has led.
func (g *guard) forsaken(led uint64, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.leader != "" && max(g.voted, led) <= g.term && !now.Before(g.until)
}

// stillBusy asks whether a heartbeat of (leader, term) may be acknowledged although Raft has not come to it.
func (g *guard) stillBusy(leader raft.ServerID, term uint64, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leader != leader || g.term != term || g.voted > term || !now.Before(g.until) {
		return false
	}
	if g.installing == 0 && now.Sub(g.genuine) > busyLimit {
		return false
	}
	g.extend(now)
	return true
}

func (g *guard) extend(now time.Time) {
	if until := now.Add(g.lease); until.After(g.until) {
		g.until = until
	}
}

// mayHelp says whether a vote for candidate would break a promise. consent is what a candidate that was asked to
// take over brings with it, 0 otherwise.
func (g *guard) mayHelp(candidate raft.ServerID, consent uint64, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mayHelpLocked(candidate, consent, now)
}

func (g *guard) mayHelpLocked(candidate raft.ServerID, consent uint64, now time.Time) bool {
	switch {
	case g.held && candidate != g.chosen:
		return false
	case g.off.Promise || !now.Before(g.until):
		return true
	case g.leader == "": // an earlier run's promise, to we don't know whom
		return false
	}
	return candidate == g.leader && !now.Before(g.others) || g.term <= consent
}

// vote asks whether a granted vote may leave, and remembers it.
func (g *guard) vote(candidate raft.ServerID, term, consent uint64, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.mayHelpLocked(candidate, consent, now) {
		return false
	}
	g.leaving(term)
	return true
}

// campaign asks whether this node may ask for votes, and returns the consent that the request carries.
func (g *guard) campaign(self raft.ServerID, term uint64, transfer bool, now time.Time) (consent uint64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if transfer {
		consent = g.consent
	}
	if !g.mayHelpLocked(self, consent, now) {
		return 0, false
	}
	g.leaving(term)
	return consent, true
}

func (g *guard) leaving(term uint64) {
	g.voted = max(g.voted, term)
	g.fence.Store(g.voted)
}

// takeOver asks whether (leader, term) may make this node campaign at once.
func (g *guard) takeOver(leader raft.ServerID, term uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held {
		return false
	}
	if g.off.TransferFence {
		g.consent = math.MaxUint64
		return true
	}
	if g.leader != leader || g.term != term {
		return false
	}
	g.consent = max(g.consent, term)
	return true
}

// honours says whether a candidate's consent covers the promise, so that its transfer flag may reach Raft.
func (g *guard) honours(consent uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.term <= consent
}

// install notes that Raft is busy with a snapshot of (leader, term) until the returned function is called.
func (g *guard) install(leader raft.ServerID, term uint64) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leader != leader || g.term != term {
		return func() {}
	}
	g.installing++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.leader == leader && g.term == term {
			g.installing--
		}
	}
}

// boot makes the promise that an earlier run of this replica may have made, to nobody in particular.
func (g *guard) boot(until time.Time) {
	if !g.off.BootHold {
		g.until = until
	}
}

func (g *guard) release() {
	g.mu.Lock()
	g.held = false
	g.mu.Unlock()
}

// choose exempts a candidate from held.
func (g *guard) choose(candidate raft.ServerID) {
	g.mu.Lock()
	g.chosen = candidate
	g.mu.Unlock()
}
