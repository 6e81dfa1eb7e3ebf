package consensus

import (
	"cmp"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// limited is the transport as raft sees it. It hides Close, so that the transport outlives a raft instance, refuses
// pipelining (a wedged pipeline stops a follower for ever after a disk stall, hashicorp/raft#612), notes how far each
// follower is, holds what tells it nothing (hold.go), and keeps followers from getting ahead of the leader's state machine:
//
// a follower that applied an entry before its leader did could show it to a linearizable reader, and the leader's own
// reads, a moment later, would not have it yet. And one that applied an entry before its leader's disk had it (pending) could
// have shown what a power cut of both takes back. So no AppendEntries carries a commit index above what this node's
// state machine has applied. Sending a lower commit index is always allowed.
//
// And it sends nothing that was not all read while this replica led the request's term. Raft reads the commit index, the previous entry and
// the entries one after the other, without a lock; a replica that is deposed meanwhile, or while a request is held, truncates its
// log and commits what others have written. A follower that is still in the old term would take the one for the other: it would commit
// entries that nobody else has, or put new ones behind them.
type limited struct {
	raft.Transport
	preVote raft.WithPreVote
	self    raft.ServerID
	fsm     *machine
	off     Off
	// down is set while the instance ends. Raft's heartbeats go on until its last request to that follower has come
	// back, and would keep the others from electing somebody who works.
	down atomic.Bool
	// leads reports whether this replica leads a term at this moment.
	leads func(term uint64) bool
	// outdated is called when a follower has refused a snapshot as older than what it has.
	outdated func()
	// held counts the requests that are held; stirred is closed to make them look around. wanted counts those who do not
	// want that, and hasty those who want no follower to rest. asked is the newest entry for which a reader waited at a follower,
	// askedAt is when one did last, and grew when the log grew last, both in nanoseconds after began.
	held, wanted, hasty atomic.Int32
	asked               atomic.Uint64
	askedAt, grew       atomic.Int64
	began               time.Time
	beats               *beats

	mu      sync.Mutex
	peers   map[raft.ServerID]peerState // of term
	term    uint64
	stirred chan struct{}
}

// refusal is how long a request waits that is refused because the instance ends.
const refusal = time.Millisecond

type peerState struct {
	// told is the commit index that it was told last, 0 if it may have forgotten that.
	matched, told uint64
	// sent is when the newest request that it has accepted was sent.
	sent time.Time
}

func newLimited(t Transport, self raft.ServerID, fsm *machine, beats *beats, off Off, outdated func()) *limited {
	l := &limited{
		Transport: t, preVote: t, self: self, fsm: fsm, beats: beats, off: off, outdated: outdated, began: time.Now(),
		peers: map[raft.ServerID]peerState{}, stirred: make(chan struct{}),
	}
	l.askedAt.Store(-int64(readLately)) // long ago
	return l
}

// RequestPreVote implements raft.WithPreVote; without it raft silently switches pre-vote off.
func (l *limited) RequestPreVote(id raft.ServerID, to raft.ServerAddress, req *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return l.preVote.RequestPreVote(id, to, req, resp)
}

// SetHeartbeatHandler is what raft calls between restoring the newest snapshot and starting its goroutines.
func (l *limited) SetHeartbeatHandler(h func(raft.RPC)) {
	l.fsm.running.Store(true)
	l.Transport.SetHeartbeatHandler(h)
}

// AppendEntriesPipeline implements raft.Transport.
func (l *limited) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// AppendEntries implements raft.Transport.
func (l *limited) AppendEntries(id raft.ServerID, to raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if !l.off.CommitLimit {
		req.LeaderCommitIndex = min(req.LeaderCommitIndex, l.fsm.applied.Load())
	}
	if l.down.Load() {
		// Not at once: raft's leadership transfer asks again without a pause while raft shuts down, until raft's main loop
		// gets to end it. With one processor and no preemption, as in jepsen/sim, that was never.
		time.Sleep(refusal)
		return raft.ErrRaftShutdown
	}
	switch l.hold(id, req); {
	case l.down.Load():
		return raft.ErrRaftShutdown
	case !l.leads(req.Term): // looked at when all is read
		return errDeposed
	}
	sent := time.Now()
	if err := l.Transport.AppendEntries(id, to, req, resp); err != nil {
		l.forget(id)
		return err
	}
	if resp.Success && resp.Term == req.Term {
		if len(req.Entries) > 0 {
			// Before it is noted: of two that acknowledge at the same moment, not both may be taken for unneeded.
			l.rest(id, req, sent)
		}
		l.note(id, req.Term, peerState{confirmed(req), req.LeaderCommitIndex, sent})
	}
	return nil
}

// InstallSnapshot implements raft.Transport.
func (l *limited) InstallSnapshot(id raft.ServerID, to raft.ServerAddress, req *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	sent := time.Now()
	if err := l.Transport.InstallSnapshot(id, to, req, resp, data); err != nil {
		return err
	}
	switch {
	case resp.Success:
		l.note(id, req.Term, peerState{matched: req.LastLogIndex, sent: sent})
	case resp.Term == req.Term:
		l.outdated() // see RefuseSnapshot
	}
	return nil
}

// note adds what a follower has accepted in term.
func (l *limited) note(id raft.ServerID, term uint64, news peerState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if term < l.term {
		return
	}
	if term > l.term {
		l.term = term
		clear(l.peers)
	}
	p := l.peers[id]
	p.matched, p.told = max(p.matched, news.matched), max(p.told, news.told)
	if news.sent.After(p.sent) {
		p.sent = news.sent
	}
	l.peers[id] = p
}

// caughtUp says that a follower has accepted, by a request sent after a hand-over was given up, all that there was then.
func (l *limited) caughtUp(id raft.ServerID, up given) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known := l.peers[id]
	return known && l.term == up.term && p.matched >= up.last && p.sent.After(up.at)
}

// progress lists the other members of servers as the leader of term knows them.
func (l *limited) progress(term uint64, self raft.ServerID, servers []raft.Server) []PeerStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []PeerStats
	for _, s := range servers {
		if s.ID == self {
			continue
		}
		stats := PeerStats{ID: string(s.ID), Voter: s.Suffrage == raft.Voter, Contact: -1}
		if p, ok := l.peers[s.ID]; ok && l.term == term {
			stats.Matched, stats.Contact = p.matched, time.Since(p.sent)
		}
		out = append(out, stats)
	}
	slices.SortFunc(out, func(a, b PeerStats) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
