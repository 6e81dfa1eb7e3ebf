package sim

import (
	"fmt"
	"time"

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
	s := &tailStory{nemesis: n, group: g, old: old, rest: n.others(old), reigns: 2 + n.rng.IntN(2), stop: make(chan struct{})}
	done := make(chan struct{})
	n.open.Go(func() {
		defer close(done)
		s.play()
	})
	return wound{
		what: fmt.Sprintf("group %d, the tail of %s", g, old.host), lasts: time.Duration(8*s.reigns+20) * n.c.plan.Election,
		undo: func() { close(s.stop); <-done }, bit: func() bool { return s.bit },
	}
}

type tailStory struct {
	*nemesis
	group slot.GroupID
	old   *server
	rest  []*server
	// reigns is how often the old leader wins again.
	reigns int
	stop   chan struct{}
	// bit: a snapshot ended in the tail.
	bit bool
}

func (s *tailStory) play() {
	if last, ok := s.grow(); ok {
		s.snapshot(last)
	}
}

// grow makes the tail and returns its end. The old leader is cut off when it returns, until undo.
func (s *tailStory) grow() (last uint64, ok bool) {
	lift := s.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.Groups, On: from(s.old.host), Only: entries(s.group)})
	defer lift()
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
func (s *tailStory) snapshot(last uint64) {
	defer s.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.Groups, On: about(s.old.host)})()
	for began := time.Now(); time.Since(began) < 8*s.c.plan.Election; {
		next := s.c.leader(s.group)
		if next == nil || next == s.old {
			if await(s.stop, time.Millisecond) {
				return
			}
			continue
		}
		x := next.standing(s.group)
		if x.Applied > last {
			return // too late
		}
		if x.Applied+s.c.plan.Trailing > last {
			s.bit = next.group(s.group).Snapshot() == nil
			return
		}
		await(s.stop, time.Millisecond)
	}
}

// loseAndWin cuts a leader off until it has stepped down. Then it alone can be elected: the others do not reach each other, and it
// does not hear what they ask. False: it was not.
func (n *nemesis) loseAndWin(g slot.GroupID, leader *server, rest []*server, stop <-chan struct{}) bool {
	defer n.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.Groups, On: across(hosts(rest[:1]), hosts(rest[1:]))})()
	defer n.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.Groups, On: func(_, to fabric.Host) bool { return to == leader.host }, Only: requests})()
	cut := n.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.Groups, On: about(leader.host)})
	down := leader.becomes(g, false, 2*n.c.plan.Election, stop)
	cut()
	return down && leader.becomes(g, true, 4*n.c.plan.Election, stop)
}

// becomes waits until a node's replica leads in Raft's sense, or does not, but not for longer than most.
func (s *server) becomes(g slot.GroupID, leads bool, most time.Duration, stop <-chan struct{}) bool {
	for began := time.Now(); time.Since(began) < most && s.group(g) != nil; {
		if (s.standing(g).State == "leader") == leads {
			return true
		}
		if await(stop, pollPause/10) {
			return false
		}
	}
	return false
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
