package plan

import (
	"testing"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func TestNext(t *testing.T) {
	const a, b, c topology.NodeID = "a", "b", "c"
	limits := Limits{Settle: 5000, MaxLag: 100}
	m := &topology.Map{Settings: topology.DefaultSettings(), Groups: []topology.Group{
		{ID: 1, Members: []topology.NodeID{a, b, c}},
		{ID: 2, Members: []topology.NodeID{b, a, c}},
	}}
	// fresh is a world in which group 1 is led by b although a is preferred, and everything has settled.
	fresh := func() Observed {
		applied := map[topology.NodeID]uint64{a: 950, b: 1000, c: 1000}
		return Observed{
			AliveFor: map[topology.NodeID]int64{a: 6000, b: 90000, c: 90000},
			Groups: map[slot.GroupID]Group{
				1: {Leader: b, Term: 4, HeldFor: 6000, Last: 1000, Applied: applied},
				2: {Leader: b, Term: 2, HeldFor: 90000, Last: 10, Applied: applied},
			},
		}
	}
	edit := func(o Observed, f func(*Group)) Observed {
		g := o.Groups[1]
		f(&g)
		o.Groups[1] = g
		return o
	}
	transfer := Transfer{Group: 1, Term: 4, From: b, To: a}
	for name, tc := range map[string]struct {
		see  func() Observed
		want Step
	}{
		"a settled group goes to its preferred node": {fresh, transfer},
		"the preferred node does not answer":         {func() Observed { o := fresh(); delete(o.AliveFor, a); return o }, nil},
		"it came back a moment ago":                  {func() Observed { o := fresh(); o.AliveFor[a] = 4999; return o }, nil},
		"it is behind":                               {func() Observed { return edit(fresh(), func(g *Group) { g.Last = 1051 }) }, nil},
		"it says nothing about the group":            {func() Observed { return edit(fresh(), func(g *Group) { g.Applied = nil }) }, nil},
		"the leader is new":                          {func() Observed { return edit(fresh(), func(g *Group) { g.HeldFor = 4999 }) }, nil},
		"nobody leads":                               {func() Observed { return edit(fresh(), func(g *Group) { g.Leader = "" }) }, nil},
		"the last attempt failed just now":           {func() Observed { return edit(fresh(), func(g *Group) { g.Resting = true }) }, nil},
		"the preferred node leads":                   {func() Observed { return edit(fresh(), func(g *Group) { g.Leader = a }) }, nil},
		"the group is not observed":                  {func() Observed { o := fresh(); delete(o.Groups, 1); return o }, nil},
	} {
		if got := Next(m, 2, 3, tc.see(), limits); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	m.Settings.SpreadLeaders = false
	if got := Next(m, 2, 3, fresh(), limits); got != nil {
		t.Errorf("with spreading off: %v", got)
	}
	if got := Next(&topology.Map{}, 2, 3, fresh(), limits); got != Step(CreateGroups{2, 3}) {
		t.Errorf("without groups: %v", got)
	}
}
