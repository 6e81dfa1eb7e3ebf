package nemesis

import (
	"slices"
	"testing"

	"github.com/quorate/quorate/fsm/slot"
)

func TestLanes(t *testing.T) {
	for name, c := range map[string]struct {
		got, want []lane
	}{
		"deaf hears nobody":       {deaf(1, 3), []lane{{0, 1}, {2, 1}}},
		"mute is heard by nobody": {mute(1, 3), []lane{{1, 0}, {1, 2}}},
		"isolated is both":        {isolated(0, 2), []lane{{1, 0}, {0, 1}}},
		"a ring":                  {ring(0, 3), []lane{{0, 1}, {1, 2}, {2, 0}}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

func TestNamed(t *testing.T) {
	for _, f := range Faults() {
		if got, err := Named([]string{f.Name}, true); err != nil || len(got) != 1 || got[0].Name != f.Name {
			t.Errorf("%s: %v, %v", f.Name, got, err)
		}
		if _, err := Named([]string{f.Name}, false); (err != nil) != f.Network {
			t.Errorf("%s without a network: %v", f.Name, err)
		}
	}
	all, err := Named([]string{"all"}, false)
	if err != nil || len(all) < 5 || slices.ContainsFunc(all, func(f Fault) bool { return f.Network || f.Shift > 0 }) {
		t.Errorf("all without a network are %v, %v", all, err)
	}
	if none, err := Named([]string{"none"}, false); err != nil || len(none) != 0 {
		t.Errorf("none is %v, %v", none, err)
	}
	if _, err := Named([]string{"kill", "meteor"}, true); err == nil {
		t.Error("an unknown fault was not refused")
	}
}

func TestAnElectionShowsInTheTerms(t *testing.T) {
	before := map[slot.GroupID]uint64{1: 4, 2: 7}
	if got := moved(before, before); got != "" {
		t.Errorf("nothing happened, got %q", got)
	}
	if got := moved(before, map[slot.GroupID]uint64{1: 5, 2: 7}); got != "1 groups elected" {
		t.Errorf("got %q", got)
	}
}
