package plan

import (
	"slices"

	"github.com/quorate/quorate/placement/topology"
)

// members names the next step of a change of g's members, nil if there is none or if it has to wait. A new replica gets the log
// before it gets a vote, or the group would tolerate fewer failures until it has caught up; and it has to be there before that: a
// node that does not know yet that it left and comes back would acknowledge with a replica that it is about to delete. A leader hands
// over before it leaves. The last step of each is the record in placement's log.
func members(g *topology.Group, o Observed, l Limits) Step {
	seen := o.Groups[g.ID]
	if seen.Leader == "" || seen.Resting || !seen.Settled {
		return nil // raft changes one thing at a time, too
	}
	switch {
	case g.Joining != "":
		return join(g, seen, l)
	case g.Leaving != "":
		return leave(g, seen, o, l)
	}
	return nil
}

func join(g *topology.Group, seen Group, l Limits) Step {
	id := g.Joining
	step := Reconfigure{Group: g.ID, Term: seen.Term, Leader: seen.Leader, Node: id, Config: seen.Config}
	switch {
	case slices.Contains(seen.Voters, id):
		return Record{Group: g.ID, Node: id, Added: true}
	case slices.Contains(seen.Learners, id):
		if seen.CloseFor < l.Settle {
			return nil
		}
		step.Action = AddVoter
	default:
		if _, open := seen.Applied[id]; !open {
			return nil
		}
		step.Action = AddLearner
	}
	return step
}

func leave(g *topology.Group, seen Group, o Observed, l Limits) Step {
	id := g.Leaving
	votes := slices.Contains(seen.Voters, id)
	switch {
	case !votes && !slices.Contains(seen.Learners, id):
		return Record{Group: g.ID, Node: id}
	case votes && !enough(seen, id, o, l):
		return nil
	case seen.Leader == id:
		for _, to := range g.Members {
			if to != id && slices.Contains(seen.Voters, to) && near(seen, to, o, l) {
				return Transfer{Group: g.ID, Term: seen.Term, From: id, To: to}
			}
		}
		return nil
	}
	return Reconfigure{Group: g.ID, Term: seen.Term, Leader: seen.Leader, Action: Remove, Node: id, Config: seen.Config}
}

// enough: those who stay can go on without who leaves: a majority of them is there and near the leader.
func enough(seen Group, leaving topology.NodeID, o Observed, l Limits) bool {
	stay, there := 0, 0
	for _, id := range seen.Voters {
		if id == leaving {
			continue
		}
		stay++
		if near(seen, id, o, l) {
			there++
		}
	}
	return there > stay/2
}

// near: the node answers and is close behind the leader.
func near(seen Group, id topology.NodeID, o Observed, l Limits) bool {
	_, alive := o.AliveFor[id]
	applied, known := seen.Applied[id]
	return alive && known && applied+l.MaxLag >= seen.Last
}
