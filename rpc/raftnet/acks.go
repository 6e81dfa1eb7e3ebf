package raftnet

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// acks is the leader's side of the lease: who accepted what, by the time at which it was sent. A send time is
// earlier than the moment at which the follower promised, so whatever is derived from it errs on the safe side.
type acks struct {
	self raft.ServerID
	o    Options
	off  Off

	// view is what LeaseUntil and QuorumSent read.
	view atomic.Pointer[quorumView]
	// revoked is the highest term whose lease was given up.
	revoked atomic.Uint64

	mu sync.Mutex
	// term is the newest term in which this node has sent an AppendEntries; peers is about that term only.
	term  uint64
	peers map[raft.ServerID]peerAck
	// voters is the configuration that SetVoters was told, ahead one that is on its way to the followers (nil: none).
	// A quorum must be one of both, because the next leader may have either.
	voters, ahead []raft.ServerID
	aheadIndex    uint64
	// arrived is closed by the next acknowledgement; nil if nobody waits.
	arrived chan struct{}
}

// peerAck is about the newest accepted AppendEntries that was sent to a peer.
type peerAck struct {
	sent, until time.Time
}

// quorumView is immutable.
type quorumView struct {
	term uint64
	// alone: this node is the only voter, so what it thinks is a quorum's opinion at any time.
	alone bool
	peerAck
}

// observe looks at a request that is about to be sent.
func (a *acks) observe(req *raft.AppendEntriesRequest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if req.Term > a.term {
		a.term, a.ahead, a.aheadIndex = req.Term, nil, 0
		clear(a.peers)
		a.publish()
	}
	for _, e := range req.Entries {
		if e.Type == raft.LogConfiguration && e.Index > a.aheadIndex && req.Term == a.term {
			a.ahead, a.aheadIndex = votersOf(e.Data), e.Index
			a.settle()
		}
	}
}

func votersOf(configuration []byte) (ids []raft.ServerID) {
	for _, s := range raft.DecodeConfiguration(configuration).Servers {
		if s.Suffrage == raft.Voter {
			ids = append(ids, s.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (a *acks) setVoters(ids []raft.ServerID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.voters = slices.Compact(slices.Sorted(slices.Values(ids)))
	a.settle()
}

// isVoter reports whether id votes in the newest configuration.
func (a *acks) isVoter(id raft.ServerID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, votes := slices.BinarySearch(a.voters, id)
	return votes
}

// settle drops the configuration on its way once it has become the one in force.
func (a *acks) settle() {
	if slices.Equal(a.voters, a.ahead) {
		a.ahead = nil
	}
	a.publish()
}

// record notes the answer to a request that was sent at sent.
func (a *acks) record(id raft.ServerID, term uint64, sent time.Time, r *ack) {
	if a.off.SendTimes {
		sent = time.Now()
	}
	if (!r.Success || r.Term != term) && !a.off.Accepted {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if term != a.term || !sent.After(a.peers[id].sent) {
		return
	}
	a.peers[id] = peerAck{sent, sent.Add(a.length(min(r.promise, a.o.Lease)))}
	a.publish()
	if a.arrived != nil {
		close(a.arrived)
		a.arrived = nil
	}
}

// length is how long a promise is good for on this node's clock.
func (a *acks) length(promise time.Duration) time.Duration {
	return promise - time.Duration(a.o.Drift*float64(promise)) - a.o.Margin
}

// publish recomputes the view.
func (a *acks) publish() {
	v := &quorumView{term: a.term}
	v.peerAck, v.alone = a.quorum(a.voters)
	if a.ahead != nil {
		other, alone := a.quorum(a.ahead)
		switch {
		case v.alone:
			v.peerAck, v.alone = other, alone
		case !alone:
			v.sent, v.until = earlier(v.sent, other.sent), earlier(v.until, other.until)
		}
	}
	a.view.Store(v)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// quorum returns the latest times that a quorum of voters stands behind, zero if there is none.
func (a *acks) quorum(voters []raft.ServerID) (newest peerAck, alone bool) {
	if len(voters) == 0 {
		return peerAck{}, false
	}
	need := len(voters)/2 + 1
	var sents, untils [8]time.Time // on the stack for groups of ordinary size
	sent, until := sents[:0], untils[:0]
	for id, p := range a.peers {
		if _, votes := slices.BinarySearch(voters, id); votes || a.off.Voters {
			sent, until = append(sent, p.sent), append(until, p.until)
		}
	}
	if _, votes := slices.BinarySearch(voters, a.self); votes {
		need--
	}
	if need == 0 {
		return peerAck{}, true
	}
	if len(sent) < need {
		return peerAck{}, false
	}
	slices.SortFunc(sent, newestFirst)
	slices.SortFunc(until, newestFirst)
	return peerAck{sent[need-1], until[need-1]}, false
}

// decisive is the follower that was heard last in term, provided that its word and this node's own are a quorum.
func (a *acks) decisive(term uint64) (id raft.ServerID, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, votes := slices.BinarySearch(a.voters, a.self); !votes || a.term != term || a.ahead != nil || len(a.voters)/2 != 1 {
		return "", false
	}
	var newest time.Time
	for peer, p := range a.peers {
		if _, votes := slices.BinarySearch(a.voters, peer); votes && p.sent.After(newest) {
			id, newest, ok = peer, p.sent, true
		}
	}
	return id, ok
}

func newestFirst(a, b time.Time) int { return b.Compare(a) }

func (a *acks) notify() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.arrived == nil {
		a.arrived = make(chan struct{})
	}
	return a.arrived
}

// revoke drops the lease of term and of all terms before it, for good.
func (a *acks) revoke(term uint64) {
	for {
		old := a.revoked.Load()
		if term <= old || a.revoked.CompareAndSwap(old, term) {
			return
		}
	}
}

func (a *acks) newestTerm() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.term
}

func (a *acks) list(now time.Time) []PeerAck {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]PeerAck, 0, len(a.peers))
	for id, p := range a.peers {
		_, votes := slices.BinarySearch(a.voters, id)
		out = append(out, PeerAck{ID: id, Age: now.Sub(p.sent), Voter: votes})
	}
	slices.SortFunc(out, func(a, b PeerAck) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
