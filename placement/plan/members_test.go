package plan

import (
	"testing"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func TestMembersChangeStepByStep(t *testing.T) {
	const a, b, c, d topology.NodeID = "a", "b", "c", "d"
	limits := Limits{Settle: 5000, MaxLag: 100}
	// seen is a group led by a in term 4, with everybody alive and level.
	seen := func(change func(*Group, *Observed)) Observed {
		level := map[topology.NodeID]uint64{a: 1000, b: 1000, c: 1000, d: 1000}
		g := Group{Leader: a, Term: 4, Last: 1000, Applied: level, Voters: []topology.NodeID{a, b, c}, Config: 7, Settled: true}
		o := Observed{AliveFor: map[topology.NodeID]int64{a: 9000, b: 9000, c: 9000, d: 9000}}
		if change != nil {
			change(&g, &o)
		}
		o.Groups = map[slot.GroupID]Group{1: g}
		return o
	}
	learns := func(g *Group, _ *Observed) { g.Learners = []topology.NodeID{d} }
	votes := func(g *Group, _ *Observed) { g.Voters = append(g.Voters, d) }
	with := func(changes ...func(*Group, *Observed)) Observed {
		return seen(func(g *Group, o *Observed) {
			for _, change := range changes {
				change(g, o)
			}
		})
	}
	dead := func(id topology.NodeID) func(*Group, *Observed) {
		return func(g *Group, o *Observed) {
			delete(o.AliveFor, id)
			delete(g.Applied, id)
		}
	}
	behind := func(id topology.NodeID) func(*Group, *Observed) {
		return func(g *Group, _ *Observed) { g.Applied[id] = 800 }
	}
	led := func(id topology.NodeID) func(*Group, *Observed) { return func(g *Group, _ *Observed) { g.Leader = id } }
	near := func(ms int64) func(*Group, *Observed) { return func(g *Group, _ *Observed) { g.CloseFor = ms } }
	do := func(action Action, id topology.NodeID) Step {
		return Reconfigure{Group: 1, Term: 4, Leader: a, Action: action, Node: id, Config: 7}
	}
	joins, leaves := topology.Group{Joining: d}, topology.Group{Leaving: c}
	for name, tc := range map[string]struct {
		change topology.Group
		see    Observed
		want   Step
	}{
		"nothing to do":                                   {topology.Group{}, seen(nil), nil},
		"a new one learns first":                          {joins, seen(nil), do(AddLearner, d)},
		"it must be there":                                {joins, with(dead(d)), nil},
		"and its replica":                                 {joins, with(func(g *Group, _ *Observed) { delete(g.Applied, d) }), nil},
		"it learns for a while":                           {joins, with(learns, near(4999)), nil},
		"it gets a vote once it has been close":           {joins, with(learns, near(5000)), do(AddVoter, d)},
		"its vote is recorded":                            {joins, with(votes), Record{Group: 1, Node: d, Added: true}},
		"a change that is not committed yet":              {joins, with(votes, func(g *Group, _ *Observed) { g.Settled = false }), nil},
		"nobody leads":                                    {joins, with(led("")), nil},
		"the last attempt failed just now":                {joins, with(func(g *Group, _ *Observed) { g.Resting = true }), nil},
		"who leaves loses its vote":                       {leaves, seen(nil), do(Remove, c)},
		"who is dead, too":                                {leaves, with(dead(c)), do(Remove, c)},
		"its end is recorded":                             {leaves, with(func(g *Group, _ *Observed) { g.Voters = g.Voters[:2] }), Record{Group: 1, Node: c}},
		"who leads hands over first":                      {leaves, with(led(c)), Transfer{Group: 1, Term: 4, From: c, To: a}},
		"to one that is level":                            {leaves, with(led(c), behind(a), votes), Transfer{Group: 1, Term: 4, From: c, To: b}},
		"the others must be able to go on: one is dead":   {leaves, with(dead(b)), nil},
		"the others must be able to go on: one is behind": {leaves, with(behind(b)), nil},
		"two of three suffice":                            {leaves, with(dead(b), votes), do(Remove, c)},
		"who was to join and does not learn any more":     {topology.Group{Leaving: d}, with(learns), do(Remove, d)},
		"who was to join and never learned":               {topology.Group{Leaving: d}, seen(nil), Record{Group: 1, Node: d}},
	} {
		tc.change.ID, tc.change.Members = 1, []topology.NodeID{a, b, c}
		m := &topology.Map{Settings: topology.DefaultSettings(), Groups: []topology.Group{tc.change}}
		if got := Next(m, 1, 3, tc.see, limits); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
