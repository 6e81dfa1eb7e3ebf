package consensus

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// Members returns the newest configuration in the log, committed or not, and its index.
func (r *Replica) Members() (raft.Configuration, uint64) { return r.members.latest() }

// AddVoter makes a server a voter. It should have caught up as a non-voter before: until it has, the group tolerates
// fewer failures. prevIndex is the index of the configuration that the change is meant for (from Members); if another has come in
// between, the change fails without effect. It returns when the change is committed. Errors are those of Propose.
func (r *Replica) AddVoter(id string, prevIndex uint64) error {
	return r.change("add voter", id, func(x *raft.Raft) raft.IndexFuture {
		return x.AddVoter(raft.ServerID(id), raft.ServerAddress(id), prevIndex, proposeTimeout)
	})
}

// AddNonvoter adds a server that receives the log and does not vote. See AddVoter.
func (r *Replica) AddNonvoter(id string, prevIndex uint64) error {
	return r.change("add non-voter", id, func(x *raft.Raft) raft.IndexFuture {
		return x.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), prevIndex, proposeTimeout)
	})
}

// Demote makes a voter a non-voter. See AddVoter.
func (r *Replica) Demote(id string, prevIndex uint64) error {
	return r.change("demote", id, func(x *raft.Raft) raft.IndexFuture {
		return x.DemoteVoter(raft.ServerID(id), prevIndex, proposeTimeout)
	})
}

// Remove takes a server out of the group. Transfer leadership away first if it leads. See AddVoter.
func (r *Replica) Remove(id string, prevIndex uint64) error {
	return r.change("remove", id, func(x *raft.Raft) raft.IndexFuture {
		return x.RemoveServer(raft.ServerID(id), prevIndex, proposeTimeout)
	})
}

func (r *Replica) change(what, id string, request func(*raft.Raft) raft.IndexFuture) error {
	inst := r.current.Load()
	if inst == nil {
		return r.away()
	}
	queued, err := inst.await(request(inst.raft))
	if err != nil {
		return fmt.Errorf("%s %s in group %d: %w", what, id, r.cfg.Group, r.outcome(queued, err))
	}
	return nil
}
