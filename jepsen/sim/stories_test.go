package sim

import (
	"slices"
	"testing"
	"time"
)

// Stories happen as they are told, and find nothing: what they provoke is what guards are for.
func TestStoriesBite(t *testing.T) {
	dense := Options{Shape: "dense", Workload: "counter", Nodes: 3, Groups: 1, Clients: 24, Think: 20 * time.Millisecond, Pace: time.Second, Overlap: 1,
		Election: 500 * time.Millisecond, Safety: 30 * time.Second}
	five := dense
	five.Workload, five.Reads, five.Nodes, five.Election = "follower", "quorum", 5, time.Second
	few := dense
	few.Clients, few.Election = 4, time.Second
	long := few // of 16 seeds, 1 to 3 do not see it bite within half a minute; of 24, all do within a minute
	long.Safety = time.Minute
	forgetful := few
	forgetful.Durability = "interval"
	spare := few
	spare.Nodes, spare.Replicas = 4, 3
	for i, c := range []struct {
		story string
		o     Options
	}{
		{"stuck-handover", dense}, {"snapshot-over-tail", dense}, {"late-snapshot", dense}, {"slow-apply", dense}, {"last-answers", five},
		{"slow-succession", few}, {"late-order", long}, {"forgotten-promise", few}, {"learner", spare}, {"stuck-leader", few},
		{"deposed-by-heartbeat", long}, {"half-a-vote", few}, {"lost-memory", forgetful},
	} {
		c.o.Families = []string{c.story}
		r := simulated(t, Job{Seed: uint64(i), Options: c.o})
		if !slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Bit }) {
			t.Errorf("%s never bit: %s", c.story, r)
		}
	}
}
