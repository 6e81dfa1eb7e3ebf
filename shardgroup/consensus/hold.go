package consensus

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// The leader of a group sends each follower a heartbeat every 50 to 100 ms, and, while nothing happens, an AppendEntries without
// entries every Timing.Commit, in case the follower does not know what is committed. In a node with a hundred groups that is most
// of the work. So, in a group that has been idle for calm:
//
//   - Heartbeats leave at beats, which come at the same moments for all groups of the process. Those that leave together share
//     wake-ups and system calls, and their answers do.
//   - An AppendEntries that tells its follower nothing is held, until the log grows, the leader applies more, a request to that
//     follower fails, leadership is handed over, or the beat is there at which it is the follower's turn. Then it is sent, with what
//     the log has by now. Between beats it would wake up both processes twice, for nobody else: such requests were a fifth of all
//     work. No two followers have the same turn: an entry that comes while both wait for an answer would wait, too.
//
// Nothing is answered for a follower.
const (
	calm = time.Second
	// interval is about the time between two turns of a follower.
	interval = time.Second
)

// hold waits while there is no need to send req, and brings it up to date.
func (l *limited) hold(id raft.ServerID, req *raft.AppendEntriesRequest) {
	switch {
	case len(req.Entries) > 0:
	case req.PrevLogEntry == 0: // a heartbeat
		l.await(0, 1, l.atWork)
	case l.await(l.place(id), l.turns(), func() bool { return l.news(id, req) }):
		l.fill(req)
	}
}

// turns is how many followers can have turns of their own: seven, if there is a beat every 150 ms.
func (l *limited) turns() int64 { return max(2, int64((interval+l.beats.every-1)/l.beats.every)) }

// place is a follower's place among the voters. That of others does not matter: no entry waits for them.
func (l *limited) place(id raft.ServerID) int64 {
	return int64(max(0, slices.Index(l.fsm.logs.members.voters(), id)))
}

// await waits until needed, which has mu, says yes, but not longer than to the next beat that is beat k of that many. It
// reports whether it had to wait at all.
func (l *limited) await(k, of int64, needed func() bool) (waited bool) {
	l.held.Add(1) // before the look at what stirs: stir looks at it the other way around
	defer l.held.Add(-1)
	var over <-chan struct{}
	for {
		l.mu.Lock()
		stirred, now := l.stirred, needed()
		l.mu.Unlock()
		if now || l.down.Load() {
			return over != nil
		}
		if over == nil {
			over = l.beats.turn(k, of)
		}
		select {
		case <-stirred:
		case <-over:
			return true
		}
	}
}

// atWork reports whether heartbeats must not wait.
func (l *limited) atWork() bool {
	return l.wanted.Load() > 0 || l.since(time.Now())-l.grew.Load() < int64(calm)
}

// news reports whether a follower would learn something from req, or raft waits for the goroutine that sends it. It needs mu.
func (l *limited) news(id raft.ServerID, req *raft.AppendEntriesRequest) bool {
	last, _ := l.fsm.logs.LastIndex()
	p := l.peers[id]
	tell := min(last, max(req.LeaderCommitIndex, l.fsm.applied.Load()))
	known := l.term == req.Term && p.matched == last && p.told >= tell
	return !known || last != req.PrevLogEntry || l.wanted.Load() > 0
}

// fill adds what has come since raft made req: it need not wait for the answer. Entries of req's term were added by this leader,
// whose log has not changed before them, so that they follow req's previous entry; raft counts as replicated what req has
// when it returns. If the replica has been deposed, what is applied may be another history than the one that req's previous entry
// is in: AppendEntries sends nothing then.
func (l *limited) fill(req *raft.AppendEntriesRequest) {
	req.LeaderCommitIndex = max(req.LeaderCommitIndex, l.fsm.applied.Load())
	last, err := l.fsm.logs.LastIndex()
	if err != nil {
		return
	}
	for i := req.PrevLogEntry + 1; i <= min(last, req.PrevLogEntry+maxAppendEntries); i++ {
		e := new(raft.Log)
		if l.fsm.logs.GetLog(i, e) != nil || e.Term != req.Term {
			return
		}
		req.Entries = append(req.Entries, e)
	}
}

// stir makes what is held look around.
func (l *limited) stir() {
	if l.held.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.stirred)
	l.stirred = make(chan struct{})
}

// logGrown notes that the group is at work.
func (l *limited) logGrown() {
	l.grew.Store(l.since(time.Now()))
	l.stir()
}

// since is a moment in nanoseconds after began.
func (l *limited) since(t time.Time) int64 { return int64(t.Sub(l.began)) }

// want holds nothing until done is called: somebody waits for an acknowledgement, or raft for its goroutines.
func (l *limited) want() (done func()) {
	l.wanted.Add(1)
	l.stir()
	return func() { l.wanted.Add(-1) }
}

// forget notes that a follower may have started again and know nothing, since a request to it has failed.
func (l *limited) forget(id raft.ServerID) {
	l.mu.Lock()
	if p, ok := l.peers[id]; ok {
		p.told = 0
		l.peers[id] = p
	}
	l.mu.Unlock()
	l.stir()
}
