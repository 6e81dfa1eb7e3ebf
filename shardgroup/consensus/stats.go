package consensus

import (
	"time"

	"github.com/hashicorp/raft"
)

// Stats is a replica's state at one moment.
type Stats struct {
	Leadership
	// State is "leader", "follower", "candidate" or "down" (restarting or closed).
	State string
	// Last is the newest index in the log, Committed what this replica knows to be committed. A leader's disk may still be writing
	// the last entry.
	Last, Committed, Applied uint64
	// SnapshotIndex is the newest snapshot's index, SnapshotBytes its size; LogBytes is what the log has grown by since.
	SnapshotIndex           uint64
	SnapshotBytes, LogBytes int64
	// LastContact is how long a follower has not heard of its leader; 0 on a leader, -1 if it never has.
	LastContact time.Duration
	// LeaseLeft is how long a leader's lease still holds; 0 without one.
	LeaseLeft time.Duration
	// VotesHeld: see Replica.VotesHeld. Restarts counts how often a guard had to restart the raft instance.
	VotesHeld bool
	Restarts  uint64
	// Confirmations counts rounds of the gate's slow path, Snapshots the snapshots taken, Installed those received.
	Confirmations, Snapshots, Installed uint64
	// SnapshotFailures counts snapshots, taken here or received, for which the disk had no room. Until one succeeds the log grows.
	SnapshotFailures uint64
	// Peers is filled on a leader, one per other member, by ID.
	Peers []PeerStats
}

// PeerStats is what a leader knows of a follower.
type PeerStats struct {
	ID    string
	Voter bool
	// Matched is the newest entry that the follower is known to hold; Last - Matched is its lag in entries.
	Matched uint64
	// Contact is the time since the newest accepted AppendEntries was sent; -1 if there was none in this term.
	Contact time.Duration
}

// Stats returns the replica's state for people and metrics.
func (r *Replica) Stats() Stats {
	s := Stats{
		Leadership:    r.Leader(),
		State:         "down",
		Applied:       r.Applied(),
		LogBytes:      r.logs.size(),
		VotesHeld:     r.VotesHeld(),
		Restarts:      r.restarts.Load(),
		Confirmations: r.gate.rounds.Load(),
		Snapshots:     r.taken.Load(),
		Installed:     r.fsm.installed.Load(),

		SnapshotFailures: r.snapshots.noRoom.Load(),
	}
	s.SnapshotIndex, s.SnapshotBytes = r.logs.snapshotIndex(), r.logs.snapshotSize()
	if inst := r.current.Load(); inst != nil {
		r.instanceStats(inst, &s)
	}
	return s
}

func (r *Replica) instanceStats(inst *instance, s *Stats) {
	s.Last, s.Committed = inst.raft.LastIndex(), inst.raft.CommitIndex()
	switch inst.raft.State() {
	case raft.Leader:
		s.State = "leader"
		latest, _ := r.members.latest()
		s.Peers = r.transport.progress(s.Term, raft.ServerID(r.cfg.Self), latest.Servers)
		if until, ok := r.cfg.Transport.LeaseUntil(s.Term); ok {
			s.LeaseLeft = max(0, time.Until(until))
		}
		return
	case raft.Candidate:
		s.State = "candidate"
	case raft.Follower:
		s.State = "follower"
	}
	s.LastContact = -1
	if last := inst.raft.LastContact(); !last.IsZero() {
		s.LastContact = time.Since(last)
	}
}
