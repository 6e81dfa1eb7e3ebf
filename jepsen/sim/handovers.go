package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/rpc/raftnet"
)

// flaps is how often a stuck hand-over lets a follower's link carry a few messages before it is given up.
const flaps = 8

// stuckHandOver plays hashicorp/raft#696: a hand-over to a follower whose link carries heartbeats and hangs with entries leaves its
// request behind; the link carries a few messages, hangs again, and the next hand-over finds no room for its own. Then
// leadership is lost and won again.
func (n *nemesis) stuckHandOver() wound {
	g := n.aGroup()
	from := n.c.leader(g)
	if from == nil || len(n.c.nodes) < 3 {
		return wound{}
	}
	rest := n.others(from)
	s := &stuckHandOver{nemesis: n, dice: rand.New(rand.NewPCG(n.rng.Uint64(), 0)), group: g, from: from, to: rest[0], rest: rest}
	return n.play(fmt.Sprintf("group %d from %s to %s, over a link that hangs", g, from.host, s.to.host), s.tell)
}

type stuckHandOver struct {
	*nemesis
	// dice are the story's own: the nemesis goes on rolling its.
	dice     *rand.Rand
	group    slot.GroupID
	from, to *server
	rest     []*server
	stop     <-chan struct{}
}

// tell comes to its point with a hand-over that does not end.
func (s *stuckHandOver) tell(stop <-chan struct{}) (bit bool) {
	s.stop = stop
	lift := s.hang()
	defer func() { lift() }()
	for range flaps {
		if !s.handOver() {
			return false
		}
		if s.refused() {
			s.c.trace.event("group %d: %s does not get out of the hand-over", s.group, s.from.host)
			s.loseAndWin(s.group, s.from, s.rest, s.stop)
			return true
		}
		lift()
		if !s.some(1 + s.dice.IntN(3)) {
			return false
		}
		lift = s.hang()
	}
	return false
}

// hang has entries to the follower hang from now on, and waits until some do.
func (s *stuckHandOver) hang() (lift func()) {
	lift = s.c.net.Add(fabric.Rule{Effect: fabric.Hold, Classes: fabric.Groups, On: links(s.from.host, s.to.host), Only: entries(s.group)})
	s.c.sights.next(s.stop, s.c.plan.Election, func(m fabric.Sent) bool {
		return m.From == s.from.host && m.To == s.to.host && entries(s.group)(m.Message)
	})
	return lift
}

// some waits until a number of answers have come.
func (s *stuckHandOver) some(answers int) bool {
	for range answers {
		if _, ok := s.c.sights.next(s.stop, s.c.plan.Election, func(m fabric.Sent) bool {
			return m.From == s.to.host && m.To == s.from.host && m.Reply && m.Kind == raftnet.KindAppend && m.Group == s.group
		}); !ok {
			return false
		}
	}
	return true
}

// handOver tries; false if there is nothing more to try.
func (s *stuckHandOver) handOver() bool {
	replica := s.from.group(s.group)
	if replica == nil || !s.from.leads(s.group) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return replica.Transfer(ctx, string(s.c.idOf(s.to))) != nil && !await(s.stop, 0)
}

// refused reports whether the leader takes no writes: clients never stop asking.
func (s *stuckHandOver) refused() bool {
	before := s.from.standing(s.group).Last
	await(s.stop, s.c.plan.Election/2)
	return before > 0 && s.from.standing(s.group).Last == before
}
