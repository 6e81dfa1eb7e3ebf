package consensus

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// silenced is how long it took in each of many clusters of n, in order, until there was a leader again after one fell silent, or after the
// first one elected after it did, if that dies before anybody hears of it. late: the followers lack different entries.
func silenced(t *testing.T, n int, dies, late bool) (took []time.Duration) {
	for i := range 20 {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, n, nil)
			c.net.SetDelay(func(topology.NodeID, topology.NodeID) time.Duration { return way })
			l := c.ready()
			time.Sleep(2*time.Second + time.Duration(i)*37*time.Millisecond)
			if late {
				busy(t, l, 20*time.Millisecond)
			}
			term, before := l.Leader().Term, l.current.Load().raft.ReloadableConfig()
			l.isolate()
			since := time.Now()
			if dies {
				replicas := map[topology.NodeID]*Replica{} // nodes forget theirs when they close
				for _, n := range c.nodes {
					replicas[topology.NodeID(n.id)] = n.Replica
				}
				c.net.SetTap(func(_ context.Context, m memnet.Message) bool { // nothing that it sends before it is isolated arrives
					return m.Kind != raftnet.KindAppend || !replicas[m.From].leads(term+1)
				})
				var second *node
				c.await("a second leader", func() bool {
					at := slices.IndexFunc(c.nodes, func(n *node) bool { return n.leads(term + 1) })
					if at >= 0 {
						second = c.nodes[at]
					}
					return second != nil
				})
				second.isolate()
				since = time.Now()
			}
			now := c.ready(l)
			took = append(took, time.Since(since))
			if after := now.current.Load().raft.ReloadableConfig(); after != before {
				t.Errorf("raft's configuration was %+v and is %+v", before, after)
			}
		})
	}
	slices.Sort(took)
	return took
}

// Leaders that fall silent are soon replaced, as soon as it is the turn of a follower that has all entries. By raft's own timers it takes one
// to three timeouts until a follower notices, and it finds no help before the others have. Not all are, for raft's timers may have two
// of them stand at the same moment.
func TestSilentLeadersAreSoonReplaced(t *testing.T) {
	const election = 20 * time.Millisecond
	for name, c := range map[string]struct {
		n          int
		dies, late bool
		// turn is the one, from 0, by which most are replaced.
		turn int
	}{
		"all have everything":                      {3, false, false, 0},
		"who comes first may lack entries":         {3, false, true, 1},
		"of five":                                  {5, false, false, 0},
		"the first to be elected dies at once too": {5, true, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			took := silenced(t, c.n, c.dies, c.late)
			if most := defaultPatience*time.Duration(5+c.turn)/4 + election; took[len(took)*3/4] > most {
				t.Errorf("three of four should take up to %v: %v", most, took)
			}
		})
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
