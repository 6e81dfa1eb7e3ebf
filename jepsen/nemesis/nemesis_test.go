package nemesis

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/process"
)

func TestLanes(t *testing.T) {
	for name, c := range map[string]struct {
		got, want []lane
	}{
		"deaf hears nobody":            {deaf([]int{1}, 3), []lane{{0, 1}, {2, 1}}},
		"mute is heard by nobody":      {mute([]int{1}, 3), []lane{{1, 0}, {1, 2}}},
		"isolated is both":             {isolated([]int{0}, 2), []lane{{1, 0}, {0, 1}}},
		"a ring":                       {ring(nil, 3), []lane{{0, 1}, {1, 2}, {2, 0}}},
		"halves keep to themselves":    {halves([]int{0, 2}, 3), []lane{{0, 1}, {1, 0}, {1, 2}, {2, 1}}},
		"a bridge reaches both halves": {bridge([]int{2, 0, 1}, 5), []lane{{0, 3}, {0, 4}, {1, 3}, {1, 4}, {3, 0}, {3, 1}, {4, 0}, {4, 1}}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

// plenty is what no fault wants more of.
var plenty = Needs{Network: true, Disks: true, Quorate: true, Nodes: 9}

func TestNamed(t *testing.T) {
	families := map[string]bool{}
	for _, f := range Faults() {
		families[f.Family] = true
		if f.Family == "" || f.About == "" || f.inject == nil {
			t.Errorf("%s is incomplete: %+v", f.Name, f)
		}
		if got, err := Named([]string{f.Name}, plenty); err != nil || len(got) != 1 || got[0].Name != f.Name {
			t.Errorf("%s: %v, %v", f.Name, got, err)
		}
		bare := Needs{Nodes: 3, Quorate: true}
		if _, err := Named([]string{f.Name}, bare); (err != nil) != (f.Needs.Network || f.Needs.Disks || f.Needs.Nodes > 3) {
			t.Errorf("%s on a plain cluster: %v", f.Name, err)
		}
	}
	if len(families) < 9 {
		t.Errorf("families are %v", families)
	}
	if none, err := Named([]string{"none"}, plenty); err != nil || len(none) != 0 {
		t.Errorf("none is %v, %v", none, err)
	}
	if _, err := Named([]string{"kill", "meteor"}, plenty); err == nil {
		t.Error("an unknown fault was not refused")
	}
}

func TestAllLeavesOutWhatChangesTheStart(t *testing.T) {
	all, err := Named([]string{"all"}, Needs{Nodes: 3, Quorate: true})
	if err != nil || len(all) < 10 || slices.ContainsFunc(all, func(f Fault) bool {
		return f.Needs.Network || f.Needs.Shift > 0 || f.Needs.Skew > 0 || f.Needs.Evicts || len(f.Needs.Flags) > 0
	}) {
		t.Errorf("all on a plain cluster are %v, %v", all, err)
	}
}

// scripted is a fault that notes what is done with it.
func scripted(name string, notes *[]string, err error) Fault {
	return Fault{Name: name, Needs: Needs{Skew: time.Second, Flags: []string{"--" + name}}, inject: func(context.Context, *env) (injury, error) {
		*notes = append(*notes, "inject "+name)
		return injury{
			victim: name,
			act:    func(ctx context.Context) { <-ctx.Done() },
			bit:    func() string { return name + " bit" },
			heal:   func() error { *notes = append(*notes, "heal "+name); return nil },
			back:   func() error { *notes = append(*notes, "back "+name); return nil },
		}, err
	}}
}

func TestFaultsTogetherHealInTheOppositeOrder(t *testing.T) {
	var notes []string
	f := together("a+b", []Fault{scripted("a", &notes, nil), scripted("b", &notes, nil)})
	if f.Needs.Skew != time.Second || !slices.Equal(f.Needs.Flags, []string{"--a", "--b"}) {
		t.Errorf("needs are %+v", f.Needs)
	}
	e := &env{rng: rand.New(rand.NewPCG(1, 1))}
	in, err := f.inject(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	e.endure(t.Context(), in, time.Millisecond)
	if in.victim != "a, b" || in.bit() != "a bit, b bit" || in.late() != "" {
		t.Errorf("victim %q, bit %q, late %q", in.victim, in.bit(), in.late())
	}
	// Members come back when no fault is left: mix, seed 90, waited for one on a node that the other fault still cut off.
	if err := errors.Join(in.heal(), in.back()); err != nil || strings.Join(notes, ", ") != "inject a, inject b, heal b, heal a, back b, back a" {
		t.Errorf("%v, %v", notes, err)
	}
}

func TestAFaultThatCannotBeDoneLeavesTheOther(t *testing.T) {
	var notes []string
	e := &env{rng: rand.New(rand.NewPCG(1, 1))}
	in, err := together("", []Fault{scripted("a", &notes, nil), scripted("b", &notes, errNotNow)}).inject(t.Context(), e)
	if err != nil || in.heal() != nil || !slices.Contains(notes, "heal b") {
		t.Errorf("%v, %v: what failed half way must be healed", err, notes)
	}
	broken := errors.New("no such device")
	if in, err = together("", []Fault{scripted("a", &notes, nil), scripted("b", &notes, broken)}).inject(t.Context(), e); !errors.Is(err, broken) || in.heal == nil {
		t.Errorf("%v: want the error, and a way to heal", err)
	}
}

// TestAFaultKnowsThatItIsNotAlone: mix, seed 18, restarted nodes while one was cut off, and wanted each to be ready at once.
func TestAFaultKnowsThatItIsNotAlone(t *testing.T) {
	e := &env{rng: rand.New(rand.NewPCG(1, 1))}
	var amid []bool
	f := Fault{inject: func(_ context.Context, e *env) (injury, error) {
		amid = append(amid, e.amid)
		return injury{heal: func() error { return nil }}, nil
	}}
	for _, x := range []Fault{f, together("", []Fault{f, f}), f} {
		if _, err := x.inject(t.Context(), e); err != nil {
			t.Error(err)
		}
	}
	if want := []bool{false, true, true, false}; !slices.Equal(amid, want) {
		t.Errorf("faults had others beside them: %v, want %v", amid, want)
	}
}

func TestAnElectionShowsInTheTerms(t *testing.T) {
	before := terms{1: 4, 2: 7}
	if got := moved(before, before); got != "" {
		t.Errorf("nothing happened, got %q", got)
	}
	if got := moved(before, terms{1: 5, 2: 7}); got != "1 groups elected" {
		t.Errorf("got %q", got)
	}
}

// follower × pause-leader+halves, seed 6, elected in a group where nothing was written after that: its leader knew that the no-op
// and the barrier of its term were committed, the followers did not hear of it, and that was taken for a cluster that is not whole.
func TestAReplicaThatLacksEntriesIsNotWhole(t *testing.T) {
	replicas := []client.ReplicaStatus{{State: "leader", Last: 576, Committed: 576, Applied: 574}, {State: "follower", Last: 576, Committed: 570, Applied: 570}}
	s := client.Status{Groups: []client.GroupStatus{{ID: 1, Replicas: replicas}}}
	want := applied(s)
	if want[slot.GroupID(1)] != 574 || lacking(s, want) == nil {
		t.Errorf("want %v, %v", want, lacking(s, want))
	}
	replicas[1].Committed, replicas[1].Applied = 574, 574
	if err := lacking(s, want); err != nil {
		t.Error(err)
	}
	replicas[1].State = "down"
	if lacking(s, terms{}) == nil || lacking(client.Status{}, want) == nil {
		t.Error("a cluster with a replica that does not answer, or without groups, is not whole")
	}
}

// corrupt-log+kill-placement, seed 47, killed the node that had refused to start with a damaged log, and started it with that log again.
func TestADeadNodeIsNotKilled(t *testing.T) {
	whom := func(context.Context, *env) ([]*process.Node, error) { return []*process.Node{new(process.Node)}, nil }
	if in, err := kill(whom)(t.Context(), &env{}); !errors.Is(err, errNotNow) || in.heal != nil {
		t.Errorf("%v: want no injury, so that nothing starts it", err)
	}
}

func TestEachGroupHasAKey(t *testing.T) {
	ranges := [][]slot.Range{{{First: 0, Last: 99}, {First: 16000, Last: 16383}}, {{First: 100, Last: 8000}}, {{First: 8001, Last: 15999}}}
	var s client.Status
	for i, r := range ranges {
		s.Groups = append(s.Groups, client.GroupStatus{ID: slot.GroupID(i + 1), Slots: r})
	}
	keys := groupKeys(s)
	if len(keys) != len(ranges) {
		t.Fatalf("keys are %v", keys)
	}
	for i, of := range ranges {
		n := slot.Of([]byte(keys[slot.GroupID(i+1)]))
		if !slices.ContainsFunc(of, func(r slot.Range) bool { return r.First <= n && n <= r.Last }) {
			t.Errorf("the key of group %d is in slot %d", i+1, n)
		}
	}
	if keys := groupKeys(client.Status{Groups: []client.GroupStatus{{ID: 1}}}); len(keys) != 0 {
		t.Errorf("a group without slots has %v", keys)
	}
}

func TestWhatIsLookedAtAfterwards(t *testing.T) {
	broken := errors.New("it is there")
	looked := 0
	parts := []injury{
		{after: func(context.Context) error { looked++; return broken }, memory: func() *Memory { return &Memory{Limit: 5, Used: 1, Grown: 7} }},
		{},
		{after: func(context.Context) error { looked++; return nil }, memory: func() *Memory { return &Memory{Used: 3, Grown: 2} }},
	}
	in := joined(parts)
	if err := in.after(t.Context()); !errors.Is(err, broken) || looked != 2 {
		t.Errorf("%v after %d looks", err, looked)
	}
	if m := in.memory(); *m != (Memory{Limit: 5, Used: 3, Grown: 7}) {
		t.Errorf("memory is %+v", m)
	}
	if m := joined(parts[1:2]).memory(); m != nil {
		t.Errorf("nobody looked, got %+v", m)
	}
}

func TestTheLimitOfAFlood(t *testing.T) {
	for _, c := range []struct {
		policy, present string
		want            int64
	}{{"noeviction", "0", roof}, {"noeviction", "25165824", 25165824}, {"allkeys-lru", "25165824", roof}} {
		if got := (flood{policy: c.policy}).limit(c.present); got != c.want {
			t.Errorf("%s where maxmemory is %s: %d, want %d", c.policy, c.present, got, c.want)
		}
	}
}

// Until a node has been under a new limit it may be over it; who never gets there is over it for good.
func TestPeaks(t *testing.T) {
	a, b := new(process.Node), new(process.Node)
	g := &gauges{Memory: Memory{Limit: 10, Used: 9}, below: map[*process.Node]bool{a: true}, over: map[*process.Node]int64{a: 30}}
	if m := g.peak(); m.Used != 9 {
		t.Errorf("%+v", m)
	}
	g.over[b] = 12
	if m := g.peak(); m.Used != 12 {
		t.Errorf("%+v", m)
	}
}
