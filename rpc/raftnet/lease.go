package raftnet

import (
	"time"

	"github.com/hashicorp/raft"
)

// SetVoters tells who votes. Call it at the start and with each configuration that is applied
// (raft.ConfigurationStore); a configuration on its way to the followers is seen by the transport itself, and until
// it is reported here a quorum must be one of both.
func (t *Transport) SetVoters(ids []raft.ServerID) { t.acks.setVoters(ids) }

// QuorumSent returns the latest time such that a quorum of the voters, this node included, has accepted an
// AppendEntries of term that was sent at or after it: at that time nobody led a later term. False: there is no such
// time, or this node has helped to end the term. It neither locks nor allocates.
func (t *Transport) QuorumSent(term uint64) (time.Time, bool) {
	v := t.acks.view.Load()
	switch {
	case t.guard.fence.Load() > term && !t.off.Promise:
		return time.Time{}, false
	case v.alone:
		return time.Now(), true
	}
	return v.sent, v.term == term && !v.sent.IsZero()
}

// LeaseUntil returns the time before which no other node can be elected, provided that this node leads term. False:
// there was no quorum yet, or the lease is revoked. Whoever reads under the lease compares the time after the read.
// It neither locks nor allocates.
func (t *Transport) LeaseUntil(term uint64) (time.Time, bool) {
	v := t.acks.view.Load()
	switch {
	case t.acks.revoked.Load() >= term || t.guard.fence.Load() > term && !t.off.Promise:
		return time.Time{}, false
	case v.alone:
		return time.Now().Add(t.acks.length(t.o.Lease)), true
	}
	return v.until, v.term == term && !v.until.IsZero()
}

// Beat asks one follower, the one that was heard last, to accept a heartbeat of term, which this node must lead, and reports
// whether it has. False at once: one answer makes no quorum. It is the heartbeat that Raft would send to all followers if it
// were asked to verify its leadership, without the detour through its main loop and the goroutine of each follower.
func (t *Transport) Beat(term uint64, timeout time.Duration) bool {
	id, ok := t.acks.decisive(term)
	if !ok {
		return false
	}
	args := raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: t.selfID, Addr: t.selfID}, Term: term, Leader: t.selfID,
	}
	var resp raft.AppendEntriesResponse
	return t.append(timeout, id, &args, &resp) == nil && resp.Success && resp.Term == term
}

// Revoke drops the lease for the rest of term, and of all terms before it.
func (t *Transport) Revoke(term uint64) { t.acks.revoke(term) }

// AckNotify returns a channel that is closed when the next acknowledgement arrives. Take it, then look at
// QuorumSent, then wait: an acknowledgement between the first two steps is not missed.
func (t *Transport) AckNotify() <-chan struct{} { return t.acks.notify() }

// SetLastEntry tells how to learn the term and index of the last entry in this replica's log, or its newest snapshot: with that, the replica
// helps to replace a leader that has fallen silent before Raft itself has noticed.
func (t *Transport) SetLastEntry(last func() (term, index uint64, known bool)) {
	t.lastEntry.Store(&last)
}

// ReleaseVotes ends the hold of Options.HoldVotes: the replica has caught up.
func (t *Transport) ReleaseVotes() { t.guard.release() }

// VoteFor lets a candidate have this replica's vote although votes are held: its log has all that the replica may have lost.
// It replaces what an earlier call said; "" is nobody.
func (t *Transport) VoteFor(candidate raft.ServerID) { t.guard.choose(candidate) }

// PeerAck says how fresh a peer's newest acknowledgement is, in the newest term that this node has led.
type PeerAck struct {
	ID raft.ServerID
	// Age is the time since the newest accepted AppendEntries was sent.
	Age time.Duration
	// Voter says whether its acknowledgements count.
	Voter bool
}

// Acks lists, by ID, the peers that have acknowledged something in the newest term that this node has led.
func (t *Transport) Acks() []PeerAck { return t.acks.list(time.Now()) }
