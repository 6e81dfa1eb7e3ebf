package sim

import (
	"slices"
	"testing"
	"time"
)

// Stories happen as they are told, and find nothing: what they provoke is what guards are for.
func TestStoriesBite(t *testing.T) {
	dense := Options{Shape: "dense", Workload: "counter", Nodes: 3, Groups: 1, Clients: 24, Think: 20 * time.Millisecond, Pace: time.Second, Overlap: 1,
		Election: 500 * time.Millisecond, Safety: 30 * time.Second, Trailing: 3}
	five := dense
	five.Workload, five.Reads, five.Nodes, five.Election = "follower", "quorum", 5, time.Second
	for i, story := range []string{"stuck-handover", "snapshot-over-tail", "late-snapshot", "slow-apply", "last-answers"} {
		o := dense
		if story == "last-answers" {
			o = five
		}
		o.Families = []string{story}
		r := simulated(t, Job{Seed: uint64(i), Options: o})
		if !slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Bit }) {
			t.Errorf("%s never bit: %s", story, r)
		}
	}
}
