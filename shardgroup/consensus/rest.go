package consensus

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// A follower whose acknowledgement came when the entry had its quorum already is spared the next ones for a moment: raft,
// which has one request to a follower under way, is told of the acknowledgement a little later, and its next request then
// carries several entries. They cost the follower one message, one write and one sync instead of as many each, which is a third of
// what an entry costs three replicas. Commits do not wait, since they did not need this follower. Should they begin to, because
// another one fails or its disk is slow for once, or does somebody wait for what this follower has applied, its next entry comes
// at most restPiece later, and sooner where followers are read from all the time. Replication is never held up when it is behind.
const (
	longestRest = 5 * time.Millisecond
	// restPiece is how often is looked whether a rest must end.
	restPiece = 2 * time.Millisecond
	// restlessLag is how many entries behind the log's end a follower is not spared any more.
	restlessLag = 32
)

// rest waits if the acknowledgement of entry matched, of a request that was sent then, was not needed.
func (l *limited) rest(id raft.ServerID, matched uint64, sent time.Time) {
	if !l.spared(id, matched) {
		return
	}
	began := time.Now()
	took, piece := began.Sub(sent), restPiece
	if l.since(began)-l.asked.Load() < int64(calm) { // and will be asked again
		piece = min(max(2*took, restPiece/10), restPiece)
	}
	for l.mayRest(id, matched, sent, took) && time.Since(began) < longestRest {
		time.Sleep(min(piece, longestRest-time.Since(began)))
	}
}

// mayRest reports whether nobody waits for a follower that has entry matched, by a request that took so long.
func (l *limited) mayRest(id raft.ServerID, matched uint64, sent time.Time, took time.Duration) bool {
	if l.down.Load() || l.wanted.Load() > 0 || l.asked.Load() > l.since(sent) {
		return false
	}
	last, _ := l.fsm.logs.LastIndex()
	if last >= matched+restlessLag {
		return false
	}
	return l.spared(id, last) || l.since(time.Now())-l.grew.Load() < int64(2*took)
}

// ask notes that somebody waits until a follower, no matter which one, has applied what is committed now.
func (l *limited) ask() { l.asked.Store(l.since(time.Now())) }

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
