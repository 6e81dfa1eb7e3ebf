package consensus

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// A follower whose acknowledgement came when the entry had its quorum already is spared the next ones for a moment: raft,
// which has one request to a follower under way, is told of the acknowledgement a little later, and its next request then
// carries several entries. They cost the follower one message, one write and one sync instead of as many each; of three
// replicas that is a quarter of all the work per entry. Commits do not wait, since they did not need this follower, and if
// the others fail, its next entry comes at most longestRest later. Replication is never held up when it is behind.
const (
	longestRest = 2 * time.Millisecond
	// restlessLag is how many entries behind the log's end a follower is not spared any more.
	restlessLag = 32
)

// rest waits if the acknowledgement of entry matched, which took took, was not needed.
func (l *limited) rest(id raft.ServerID, matched uint64, took time.Duration) {
	if l.down.Load() || !l.spared(id, matched) {
		return
	}
	if last, _ := l.fsm.logs.LastIndex(); last < matched+restlessLag {
		time.Sleep(min(2*took, longestRest))
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
