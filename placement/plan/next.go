package plan

import (
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Observed is what the driver sees of the nodes. Durations are milliseconds.
type Observed struct {
	// AliveFor is for how long each node has answered every question; absent: it does not answer.
	AliveFor map[topology.NodeID]int64
	Groups   map[slot.GroupID]Group
}

// Group is what the driver sees of one group.
type Group struct {
	// Leader leads in Term, unchanged for HeldFor. "" if no node that answers leads.
	Leader  topology.NodeID
	Term    uint64
	HeldFor int64
	// Last is the last index of the leader's log; Applied how far each answering node's replica is, also of one that joins.
	Last    uint64
	Applied map[topology.NodeID]uint64
	// Resting says that the last attempt to change something about this group failed a short while ago.
	Resting bool
	// Voters and Learners are the servers of the group's Raft configuration, which is entry Config of its log; Settled says
	// that it is committed.
	Voters, Learners []topology.NodeID
	Config           uint64
	Settled          bool
	// Close says that the learner has nearly all of the leader's log, CloseFor is for how long it has.
	Close    bool
	CloseFor int64
}

// Limits tune the steps. Durations are milliseconds.
type Limits struct {
	// Settle is how long a leader must have led, and the preferred node been alive, before leadership is moved.
	Settle int64
	// MaxLag is how many entries the preferred node may be behind the leader's log to count as caught up.
	MaxLag uint64
}

// Step is something to do next: one of the types below.
type Step interface {
	step()
}

// CreateGroups: propose the first groups; Groups of them with Replicas each (see FirstGroups).
type CreateGroups struct {
	Groups, Replicas int
}

// Transfer: ask From, which leads Group in Term, to hand it over to To.
type Transfer struct {
	Group    slot.GroupID
	Term     uint64
	From, To topology.NodeID
}

// Reconfigure: ask Leader, which leads Group in Term, to do Action with Node in the group's Raft configuration, if that is still
// entry Config of the log.
type Reconfigure struct {
	Group  slot.GroupID
	Term   uint64
	Leader topology.NodeID
	Action Action
	Node   topology.NodeID
	Config uint64
}

// Action is a change of a Raft configuration. Part of the wire: do not rename the values.
type Action string

// The actions: a learner gets the log and has no vote.
const (
	AddLearner Action = "add-learner"
	AddVoter   Action = "add-voter"
	Remove     Action = "remove"
)

// Record: propose that what was to happen to Node's replica of Group has happened.
type Record struct {
	Group slot.GroupID
	Node  topology.NodeID
	Added bool
}

func (CreateGroups) step() {}
func (Transfer) step()     {}
func (Reconfigure) step()  {}
func (Record) step()       {}

// Next names the next step, or nil when there is nothing to do. wantGroups and wantReplicas are what the cluster was
// founded with. One step at a time: what it changes must be observed before the next is named.
func Next(m *topology.Map, wantGroups, wantReplicas int, o Observed, l Limits) Step {
	if len(m.Groups) == 0 {
		return CreateGroups{Groups: wantGroups, Replicas: wantReplicas}
	}
	for i := range m.Groups {
		if s := members(&m.Groups[i], o, l); s != nil {
			return s
		}
	}
	if !m.Settings.SpreadLeaders {
		return nil
	}
	for i := range m.Groups {
		if t, ok := spread(&m.Groups[i], o, l); ok {
			return t
		}
	}
	return nil
}

// spread moves g's leadership to its preferred node if that node is sure to carry it: alive and caught up, and nothing
// has changed for a while (or leadership would follow a node that flaps).
func spread(g *topology.Group, o Observed, l Limits) (Transfer, bool) {
	seen, to := o.Groups[g.ID], g.Members[0]
	if g.Joining != "" || g.Leaving != "" {
		return Transfer{}, false // one thing at a time
	}
	if seen.Leader == "" || seen.Leader == to || seen.Resting || seen.HeldFor < l.Settle {
		return Transfer{}, false
	}
	if alive, ok := o.AliveFor[to]; !ok || alive < l.Settle {
		return Transfer{}, false
	}
	if applied, ok := seen.Applied[to]; !ok || applied+l.MaxLag < seen.Last {
		return Transfer{}, false
	}
	return Transfer{Group: g.ID, Term: seen.Term, From: seen.Leader, To: to}, true
}
