package consensus

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// A leader that falls silent is soon replaced. By raft's own timers it took one to three timeouts until one follower noticed, and it found no
// help before the other had. Now and then both stand at once and wait for another one.
func TestSilentLeaderIsSoonReplaced(t *testing.T) {
	const runs = 20
	soon, took := 0, []time.Duration{}
	for i := range runs {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, 3, nil)
			c.net.SetDelay(func(topology.NodeID, topology.NodeID) time.Duration { return way })
			l := c.ready()
			time.Sleep(2*time.Second + time.Duration(i)*37*time.Millisecond)
			if err := l.propose("x"); err != nil {
				t.Fatal(err)
			}
			l.isolate()
			silent := time.Now()
			c.ready(l)
			took = append(took, time.Since(silent))
			// The second follower's patience, and the election.
			if time.Since(silent) < defaultPatience*3/2+50*time.Millisecond {
				soon++
			}
		})
	}
	if soon < runs*4/5 {
		t.Errorf("%d of %d leaders were soon replaced: %v", soon, runs, took)
	}
}

// Who comes first stands alone, and not always first.
func TestHeirsStandInTurn(t *testing.T) {
	voters := []raft.ServerID{"c", "a", "l", "b"}
	first := map[raft.ServerID]bool{}
	for group := slot.GroupID(1<<32 - 6); group != 0; group++ {
		taken := map[int]bool{}
		for _, self := range []raft.ServerID{"a", "b", "c"} {
			r := &Replica{cfg: Config{Self: string(self), Group: group}, members: &members{}}
			r.members.vote.Store(&voters)
			place := r.place("l")
			if place < 0 || place > 2 || taken[place] {
				t.Errorf("group %d: %s has place %d", group, self, place)
			}
			taken[place] = true
			if place == 0 {
				first[self] = true
			}
		}
	}
	if len(first) != 3 {
		t.Errorf("only %v ever come first", first)
	}
	for _, self := range []string{"l", "learner"} {
		r := &Replica{cfg: Config{Self: self}, members: &members{}}
		r.members.vote.Store(&voters)
		if place := r.place("l"); place != -1 {
			t.Errorf("%s has place %d", self, place)
		}
	}
}

// Who hears its leader does not stand, however the turns are.
func TestHeardLeaderStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		l := c.ready()
		term := l.Leader().Term
		for i := range 100 {
			time.Sleep(defaultPatience / 3)
			if err := l.propose(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		for _, n := range c.nodes {
			if got := n.Leader(); got.Leader != l.id || got.Term != term {
				t.Errorf("%s: %+v, want leader %s of term %d", n.id, got, l.id, term)
			}
		}
	})
}
