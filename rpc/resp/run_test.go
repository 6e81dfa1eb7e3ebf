package resp

import (
	"math/rand/v2"
	"testing"

	"github.com/quorate/quorate/fsm/slot"
)

// TestCallFor compares it with a search through all calls, over few groups and over more than the index tells apart. What a
// follower could answer joins commands for the leader; otherwise the two are calls of their own.
func TestCallFor(t *testing.T) {
	for _, groups := range []int{1, fewCalls, 60, 300} {
		targets := make([]*target, groups)
		for i := range targets {
			targets[i] = &target{id: slot.GroupID(1 + i), leading: true}
		}
		rng := rand.New(rand.NewPCG(1, uint64(groups)))
		var r run
		for round := range 20 {
			toLeader, toFollower := map[slot.GroupID]*groupCall{}, map[slot.GroupID]*groupCall{}
			for range rng.IntN(4 * groups) {
				to, follower := targets[rng.IntN(groups)], rng.IntN(3) == 0
				want := toLeader[to.id]
				if want == nil && follower {
					want = toFollower[to.id]
				}
				used := r.used
				gc := r.callFor(to, 2, follower)
				switch {
				case want != nil && gc != want, want == nil && r.used != used+1, gc.t != to:
					t.Fatalf("%d groups, round %d: a call of group %d, follower %v, where group %d, follower %v was asked for", groups, round, gc.t.id, gc.follower, to.id, follower)
				case r.calls[gc.number] != gc:
					t.Fatalf("%d groups, round %d: call %d has number %d", groups, round, used, gc.number)
				case follower && toLeader[to.id] == nil:
					toFollower[to.id] = gc
				default:
					toLeader[to.id] = gc
				}
			}
			r.clear()
		}
	}
}
