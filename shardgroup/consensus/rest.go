package consensus

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// A follower whose acknowledgement came when the entry had its quorum already is spared the next ones for a moment: raft,
// which has one request to a follower under way, is told of the acknowledgement a little later, and its next request then
// carries several entries. They cost the follower one message, one write and one sync instead of as many each; shardgroup/DESIGN.md
// has what that saves. Commits do not wait, since they did not need this follower. When one begins to, because
// another follower fails or its disk is slow for once, the rest ends two restPieces later at most, or with longestRest while the log
// goes on growing. Replication is never held up when it is behind.
//
// Who reads from a follower waits for the entries that it has yet to get. So no follower rests while it lacks what a reader of any
// follower needs, and where there are readers, rests are short.
const (
	longestRest = 5 * time.Millisecond
	// restPiece is the time between two looks at whether a rest must end, and the longest rest where there are readers.
	restPiece = 2 * time.Millisecond
	// readLately is for how long a group that was read from on a follower counts as one with readers.
	readLately = time.Second
)

// rest waits if the acknowledgement of req, which was sent then, was not needed.
func (l *limited) rest(id raft.ServerID, req *raft.AppendEntriesRequest, sent time.Time) {
	if !l.spared(id, confirmed(req)) {
		return
	}
	began := time.Now()
	took, most := began.Sub(sent), longestRest
	if l.since(began)-l.askedAt.Load() < int64(readLately) {
		most = min(2*took, restPiece)
	}
	for time.Since(began) < most && l.mayRest(id, req, took) {
		time.Sleep(min(restPiece, most-time.Since(began)))
	}
}

// confirmed is the newest entry that the acknowledgement of req is for.
func confirmed(req *raft.AppendEntriesRequest) uint64 {
	return req.PrevLogEntry + uint64(len(req.Entries))
}

// mayRest reports whether nobody waits for a follower that has acknowledged req, which took so long.
func (l *limited) mayRest(id raft.ServerID, req *raft.AppendEntriesRequest, took time.Duration) bool {
	if l.down.Load() || l.hasty.Load() > 0 {
		return false
	}
	matched := confirmed(req)
	if told := min(matched, req.LeaderCommitIndex); l.asked.Load() > told {
		return false
	}
	last, _ := l.fsm.logs.LastIndex()
	if last >= matched+maxAppendEntries { // its next request is full
		return false
	}
	return l.spared(id, last) || l.since(time.Now())-l.grew.Load() < int64(min(2*took, restPiece))
}

// ask notes that a reader waits until a follower, no matter which one, has applied the entry.
func (l *limited) ask(index uint64) {
	l.askedAt.Store(l.since(time.Now()))
	for old := l.asked.Load(); old < index && !l.asked.CompareAndSwap(old, index); {
		old = l.asked.Load()
	}
}

// hasten is want, and keeps followers from resting as well.
func (l *limited) hasten() (done func()) {
	l.hasty.Add(1)
	wanted := l.want()
	return func() {
		wanted()
		l.hasty.Add(-1)
	}
}

// spared reports whether a quorum of the voters has entry matched without id, as raft counts.
func (l *limited) spared(id raft.ServerID, matched uint64) bool {
	voters := l.fsm.logs.members.voters()
	have := 0
	l.mu.Lock()
	for _, v := range voters {
		// Raft counts the leader from before it sends an entry.
		if v == l.self || v != id && l.peers[v].matched >= matched {
			have++
		}
	}
	l.mu.Unlock()
	return have > len(voters)/2 && slices.Contains(voters, l.self)
}
