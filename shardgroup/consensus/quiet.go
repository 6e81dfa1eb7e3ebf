package consensus

import (
	"time"

	"github.com/hashicorp/raft"
)

// While nothing happens, raft sends each follower an AppendEntries without entries every Timing.Commit, in case it does not
// know what is committed. To a follower that has the whole log, was told of all that is committed and answers its
// heartbeats, that is no news, and in a node with a hundred groups it would be most of the work. So such a request is held
// back, until it has news or longestQuiet is over.
//
// If the log grows meanwhile, the request gets the answer that the follower gave to the last one, because what raft sends
// next, the new entry, must not wait. Raft takes from it that the follower is there, which the heartbeats said as well; no
// match index moves, and no acknowledgement is recorded in the transport, which is all that leases and reads are based on.
const longestQuiet = 2 * time.Second

// holdBack returns true if req needs no answer of the follower, possibly after a while, and false if it must be sent.
func (l *limited) holdBack(id raft.ServerID, req *raft.AppendEntriesRequest) bool {
	if len(req.Entries) > 0 || req.PrevLogEntry == 0 {
		return false
	}
	l.held.Add(1) // before the look at the log's end: stir looks at it the other way around
	defer l.held.Add(-1)
	var enough *time.Timer
	for {
		l.mu.Lock()
		stirred, content := l.stirred, req.Term == l.term && l.content(id, req.PrevLogEntry, req.LeaderCommitIndex)
		l.mu.Unlock()
		if !content || l.down.Load() {
			return false
		}
		if last, _ := l.fsm.logs.LastIndex(); last > req.PrevLogEntry {
			return true
		}
		if enough == nil {
			enough = time.NewTimer(longestQuiet)
			defer enough.Stop()
		}
		select {
		case <-stirred:
		case <-enough.C:
			return false
		}
	}
}

// content reports whether a follower has the log up to matched, knows what is committed of it, and was there just now. commit
// is what raft wants it to know; there may be more by now. It needs mu.
func (l *limited) content(id raft.ServerID, matched, commit uint64) bool {
	p := l.peers[id]
	commit = max(commit, l.fsm.applied.Load())
	return p.matched == matched && p.told >= min(matched, commit) && time.Since(p.sent) < l.patience
}

// stir makes what is held back look around. It is called when the log has grown and when a follower is not content any more.
func (l *limited) stir() {
	if l.held.Load() == 0 {
		return
	}
	l.mu.Lock()
	close(l.stirred)
	l.stirred = make(chan struct{})
	l.mu.Unlock()
}

// forget notes that a follower may not be what it was: a request to it has failed, or its log is shorter. Until it has
// answered the next one nothing is held back.
func (l *limited) forget(id raft.ServerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.peers[id]; ok {
		p.told = 0
		l.peers[id] = p
	}
}

// heard is called after each heartbeat.
func (l *limited) heard(id raft.ServerID, resp *raft.AppendEntriesResponse, err error) {
	l.mu.Lock()
	matched := l.peers[id].matched
	l.mu.Unlock()
	// A transport that answers for a busy follower does not know its log, and says 0.
	if err != nil || !resp.Success || resp.LastLog > 0 && resp.LastLog < matched {
		l.forget(id)
	}
	l.mu.Lock()
	content := l.content(id, matched, 0)
	l.mu.Unlock()
	if !content {
		l.stir()
	}
}
