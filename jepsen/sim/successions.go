package sim

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/jepsen/sim/machine"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// slowSuccession plays what a commit index can do that says more than the request with it confirms. The successor of a leader that was
// killed tries to reach it, in longer and longer pauses, with the last index from before its own first entry, which its disk takes long
// to store. If the old leader is back in the right pause, it hears of the commit of that entry, and has another one in its place.
func (n *nemesis) slowSuccession() wound {
	g, old, next, third, ok := n.three()
	if !ok {
		return wound{}
	}
	slow := n.c.plan.Election/4 + n.share(n.c.plan.Election/5)
	writes, back := n.between(100*time.Millisecond, time.Second), slow*3/5+n.share(slow*2/5)
	return n.play(fmt.Sprintf("group %d, %s after %s", g, next.host, old.host), func(stop <-chan struct{}) bool {
		shorter := n.lose(links(old.host, third.host), news(g))
		if await(stop, time.Second) { // what the third has, the next has, too
			shorter()
			return false
		}
		apart := n.lose(about(old.host), nil)
		shorter()
		await(stop, writes) // of a client
		old.hold()
		if _, p := old.now(); p != nil {
			old.die(p, false)
		}
		apart()
		voteless := n.lose(links(third.host, next.host, old.host), asks(raftnet.KindVote, raftnet.KindPreVote))
		next.machine.SetDisk(machine.DiskFault{Delay: slow})
		led := until(stop, 4*n.c.plan.Election, func() bool { return next.took(g) })
		next.machine.SetDisk(n.c.healthy()) // its first entry is under way; the next ones are quick
		await(stop, back)
		old.release()
		old.start()
		await(stop, 2*slow)
		voteless()
		return led
	})
}

// deposedByHeartbeat plays what a heartbeat can do that is not handled in its turn. A leader that was given up for lost hears of its successor
// by heartbeats alone, and before anything else wakes its loop, what it was asked to log before arrives.
func (n *nemesis) deposedByHeartbeat() wound {
	g, old, next, third, ok := n.three()
	if !ok {
		return wound{}
	}
	return n.play(fmt.Sprintf("group %d, %s after %s", g, next.host, old.host), func(stop <-chan struct{}) bool {
		order := asks(raftnet.KindTimeoutNow)
		arrives := n.c.net.Add(fabric.Rule{Effect: fabric.Hold, Classes: fabric.Groups, On: links(old.host, next.host), Only: order})
		defer arrives()
		n.hands(g, old, next)
		if n.c.leader(g) != old {
			return false
		}
		defer n.c.net.Add(fabric.Rule{
			Effect: fabric.Worsen, Classes: fabric.Groups, On: links(third.host, old.host), Only: apartFromRaft,
			Weather: fabric.Weather{Delay: n.c.plan.Election / 3},
		})()
		defer n.lose(links(old.host, third.host), news(g))() // what the third has, the next will have, too
		for range 8 {
			n.open.Go(func() { n.c.compare(third, g) })
			if await(stop, n.c.plan.Election/40) {
				return false
			}
		}
		defer n.lose(links(old.host, next.host, third.host), func(m memnet.Message) bool { return !order(m) })()
		defer n.lose(func(_, to fabric.Host) bool { return to == old.host }, func(m memnet.Message) bool { return !heartbeats(g)(m) && !apartFromRaft(m) })()
		arrives()
		led := until(stop, n.c.plan.Election, func() bool { return next.took(g) })
		await(stop, n.c.plan.Election)
		return led
	})
}

// halfAVote plays what half a vote leads to: a node that voted for one node (older) in an earlier term loses its power while it stores its vote for
// itself in the next term. Meanwhile an order to take over is under way to older, whose log gets old; with it, older asks for votes of that very term.
func (n *nemesis) halfAVote() wound {
	g, older, voter, leader, ok := n.three()
	if !ok {
		return wound{}
	}
	pauses := [3]time.Duration{n.share(n.c.plan.Election), n.share(n.c.plan.Election), n.c.plan.Lease + n.share(n.c.plan.Election)}
	writes := pick(n.rng, 1, 2, 2, 2, 2, 2, 3)
	return n.play(fmt.Sprintf("group %d, %s has voted for %s, %s leads", g, voter.host, older.host, leader.host), func(stop <-chan struct{}) bool {
		ballots, order := asks(raftnet.KindVote), asks(raftnet.KindTimeoutNow)
		unasked := n.lose(links(leader.host, voter.host), ballots)
		n.hands(g, older, leader)
		unasked()
		if !until(stop, n.c.plan.Election, func() bool { return n.c.leader(g) == leader }) || await(stop, pauses[0]) {
			return false
		}
		arrives := n.c.net.Add(fabric.Rule{Effect: fabric.Hold, Classes: fabric.Groups, On: links(leader.host, older.host), Only: order})
		defer arrives()
		n.hands(g, leader, older)
		defer n.lose(links(leader.host, older.host), news(g))()
		if await(stop, pauses[1]) || !n.torn(stop, g, leader, voter, writes) { // clients write
			return false
		}
		defer n.lose(across([]fabric.Host{leader.host}, []fabric.Host{voter.host}), nil)()
		defer n.lose(links(older.host, leader.host), ballots)()
		voter.start()
		await(stop, pauses[2])
		arrives()
		await(stop, n.c.plan.Election)
		return true
	})
}

// torn has a node asked to take over, and ends it, with the power of its machine, after so many writes. It is left down.
func (n *nemesis) torn(stop <-chan struct{}, g slot.GroupID, leader, s *server, writes int) bool {
	defer n.lose(func(from, _ fabric.Host) bool { return from == s.host }, asks(raftnet.KindVote))()
	arrives := n.c.net.Add(fabric.Rule{Effect: fabric.Hold, Classes: fabric.Groups, On: links(leader.host, s.host), Only: asks(raftnet.KindTimeoutNow)})
	defer arrives()
	n.open.Go(func() { n.hands(g, leader, s) })
	if await(stop, 500*time.Millisecond) { // what the leader had for it is stored
		return false
	}
	_, p := s.now()
	if p == nil {
		return false
	}
	s.hold()
	defer s.release()
	p.DoomAfter(writes, func() { s.die(p, true) })
	arrives()
	await(stop, time.Second)
	s.die(p, true) // if it was not asked
	return true
}

// lostMemory plays what a node may elect that has lost its memory. A follower alone has acknowledged what the leader has, and loses it
// with its power, since only interval keeps it from being on the disk; then the leader is cut off, and the other follower never had it.
func (n *nemesis) lostMemory() wound {
	g, leader, forgets, lacks, ok := n.three()
	if !ok {
		return wound{}
	}
	writes := n.between(100*time.Millisecond, 900*time.Millisecond)
	return n.play(fmt.Sprintf("group %d, %s forgets, %s lacks, %s leads", g, forgets.host, lacks.host, leader.host), func(stop <-chan struct{}) bool {
		defer n.lose(links(leader.host, lacks.host), news(g))()
		if await(stop, writes) { // of clients
			return false
		}
		forgets.hold()
		if _, p := forgets.now(); p != nil {
			forgets.die(p, true)
		}
		defer n.lose(about(leader.host), nil)()
		forgets.release()
		forgets.start()
		until(stop, 6*n.c.plan.Election, func() bool { return lacks.took(g) || forgets.took(g) })
		await(stop, n.c.plan.Election)
		return true
	})
}
