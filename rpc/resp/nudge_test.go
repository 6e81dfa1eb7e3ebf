package resp

import (
	"testing"
	"time"

	"github.com/quorate/quorate/fsm/command"
)

// TestWhoIsNotNudgedWasToldNothing: for a second after a client was told MOVED its connection stays open while the node drains.
func TestWhoIsNotNudgedWasToldNothing(t *testing.T) {
	for _, nudge := range []bool{false, true} {
		w := newWorld(t, 3, func(c *Config) { c.TopologyNudge = nudge })
		c := w.undriven(t)
		w.lead(1, "b")
		if got := c.nudgeNow(command.ByID(command.Get), 866); got != nudge || c.told.IsZero() == nudge {
			t.Errorf("nudges %v: nudged %v, told at %v", nudge, got, c.told)
		}
		if c.nudge != w.srv.nudges.Load() {
			t.Errorf("nudges %v: looks again for the same change", nudge)
		}
	}
}

// TestRetriesMeetOneNudge: a client that is nudged tries again on another connection of its pool, which must not use up its
// redirections.
func TestRetriesMeetOneNudge(t *testing.T) {
	var n nudged
	now := time.Unix(1, 0)
	for _, step := range []struct {
		after time.Duration
		host  string
		want  bool
	}{
		{0, "a", true}, {0, "a", false}, {0, "b", true}, {time.Millisecond, "a", false}, {nudgeHostPause, "a", true}, {nudgeHostPause, "b", true},
	} {
		if got := n.allow(1, step.host, now.Add(step.after)); got != step.want {
			t.Errorf("host %s after %v: nudged %v, want %v", step.host, step.after, got, step.want)
		}
	}
}

func TestNudgedHostsAreBounded(t *testing.T) {
	var n nudged
	for epoch := range uint64(3) {
		for i := range nudgedHosts + 1 {
			n.allow(epoch, string(rune(i)), time.Unix(int64(epoch), 0))
		}
	}
	if len(n.last) > nudgedHosts+1 {
		t.Errorf("%d hosts are remembered", len(n.last))
	}
}
