package resp

import (
	"testing"
	"time"
)

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
