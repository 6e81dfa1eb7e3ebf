package sim

import (
	"fmt"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// snapshotOverTail plays hashicorp/raft#697: a leader whose links carry nothing large keeps its batch to itself, loses and wins
// elections, each of which adds a no-op and a barrier to what nobody else has, and is cut off. The next leader takes a snapshot
// that ends in the midst of that tail and keeps few entries behind it, so that the old one, when it hears of it, gets the
// snapshot.
func (n *nemesis) snapshotOverTail() wound {
	g := n.aGroup()
	old := n.c.leader(g)
	if old == nil || len(n.c.nodes) < 3 || !n.c.level(g) {
		return wound{}
	}
	s := &tailStory{nemesis: n, group: g, old: old, rest: n.others(old), reigns: 2 + n.rng.IntN(2)}
	return n.play(fmt.Sprintf("group %d, the tail of %s", g, old.host), s.tell)
}

type tailStory struct {
	*nemesis
	group slot.GroupID
	old   *server
	rest  []*server
	// reigns is how often the old leader wins again.
	reigns int
	stop   <-chan struct{}
}

// tell comes to its point with a snapshot that ends in the tail.
func (s *tailStory) tell(stop <-chan struct{}) (bit bool) {
	s.stop = stop
	last, ok := s.grow()
	return ok && s.snapshot(last)
}

// grow makes the tail and returns its end. The old leader is cut off when it returns, until undo.
func (s *tailStory) grow() (last uint64, ok bool) {
	defer s.lose(func(from, _ fabric.Host) bool { return from == s.old.host }, entries(s.group))()
	if _, ok := s.c.sights.next(s.stop, s.c.plan.Election, func(m fabric.Sent) bool {
		return m.From == s.old.host && entries(s.group)(m.Message)
	}); !ok {
		return 0, false
	}
	for range s.reigns {
		if !s.loseAndWin(s.group, s.old, s.rest, s.stop) {
			return 0, false
		}
		await(s.stop, s.c.plan.Election/2) // to store a barrier, too
	}
	return s.old.standing(s.group).Last, true
}

// snapshot cuts the old leader off until another one leads, and has that take a snapshot that ends in the tail.
func (s *tailStory) snapshot(last uint64) (taken bool) {
	defer s.lose(about(s.old.host), nil)()
	until(s.stop, 8*s.c.plan.Election, func() bool {
		next := s.c.leader(s.group)
		if next == nil || next == s.old {
			return false
		}
		applied := next.standing(s.group).Applied
		if taken = applied <= last && applied+s.c.plan.Trailing > last; taken {
			taken = next.group(s.group).Snapshot() == nil
			return true
		}
		return applied > last // too late
	})
	return taken
}

// loseAndWin cuts a leader off until it has stepped down. Then it alone can be elected: the others do not reach each other, and it
// does not hear what they ask. False: it was not.
func (n *nemesis) loseAndWin(g slot.GroupID, leader *server, rest []*server, stop <-chan struct{}) bool {
	defer n.lose(across(hosts(rest[:1]), hosts(rest[1:])), nil)()
	defer n.lose(func(_, to fabric.Host) bool { return to == leader.host }, requests)()
	cut := n.lose(about(leader.host), nil)
	down := until(stop, 2*n.c.plan.Election, func() bool { return !leader.took(g) })
	cut()
	return down && until(stop, 4*n.c.plan.Election, func() bool { return leader.took(g) })
}

// standing is a node's replica's state, the zero value if there is none.
func (s *server) standing(g slot.GroupID) consensus.Stats {
	if replica := s.group(g); replica != nil {
		return replica.Replica().Stats()
	}
	return consensus.Stats{}
}

// level reports whether all replicas of a group have applied nearly as much as the first.
func (c *cluster) level(g slot.GroupID) bool {
	first := c.nodes[0].standing(g).Applied
	for _, s := range c.nodes {
		if a := s.standing(g).Applied; a == 0 || max(a, first)-min(a, first) > levelWithin {
			return false
		}
	}
	return true
}

// levelWithin is by how many entries they may differ.
const levelWithin = 20
