package consensus

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// runSuccession has raft stand for election soon after its leader fell silent. Raft's own timer looks every one to two heartbeat
// timeouts whether the leader's last word is older than one, so that a follower notices after one to three of them. Here the followers
// of a leader notice in turn, the first after 5/4 of a timeout and each other one a quarter later, by when the one before it is usually
// elected; raft's own timer may ring before its turn. The other half of it is in rpc/raftnet: who has not noticed yet votes all the
// same, once its promise to the leader is over.
func (r *Replica) runSuccession(inst *instance) {
	timer := time.NewTimer(r.cfg.Timing.Heartbeat)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-inst.ended:
			return
		}
		left := r.untilStanding(inst)
		if left <= 0 {
			inst.lookAtLeader()
			left = r.cfg.Timing.Heartbeat
		}
		timer.Reset(left)
	}
}

// untilStanding is how long the leader, or whoever got this replica's vote, may be silent yet. Raft alone decides about a replica
// that has heard of nobody.
func (r *Replica) untilStanding(inst *instance) time.Duration {
	heartbeat, heard := r.cfg.Timing.Heartbeat, inst.raft.LastContact()
	if inst.raft.State() != raft.Follower || heard.IsZero() {
		return heartbeat
	}
	_, leader := inst.raft.LeaderWithID()
	place := r.place(leader)
	if place < 0 {
		return heartbeat
	}
	return heartbeat + heartbeat/4*time.Duration(1+place) - time.Since(heard)
}

// place is this replica's, from 0, among those that may succeed leader; -1 if it may not. Of several groups of one leader it is not
// always the same node that comes first.
func (r *Replica) place(leader raft.ServerID) int {
	heirs := slices.DeleteFunc(slices.Sorted(slices.Values(r.members.voters())), func(id raft.ServerID) bool { return id == leader })
	at := slices.Index(heirs, raft.ServerID(r.cfg.Self))
	if at < 0 {
		return -1
	}
	return int((uint64(at) + uint64(r.cfg.Group)) % uint64(len(heirs)))
}

// lookAtLeader has raft's timer ring at once, as it does when the timeout becomes shorter. Raft then stands, with a pre-vote first, if
// its leader has been silent for a timeout.
func (inst *instance) lookAtLeader() {
	c := inst.raft.ReloadableConfig()
	shorter := c
	shorter.HeartbeatTimeout--
	for _, c := range []raft.ReloadableConfig{shorter, c} {
		// The one that is in force is valid, and so is one shorter by a nanosecond: Config.check wants the lease to be shorter still.
		_ = inst.raft.ReloadConfig(c)
	}
}
