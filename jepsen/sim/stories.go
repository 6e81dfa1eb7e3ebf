package sim

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// play lets a story go on until it is over, or told to stop; it says whether it came to its point.
func (n *nemesis) play(what string, story func(stop <-chan struct{}) bool) wound {
	stop, done := make(chan struct{}), make(chan struct{})
	var bit atomic.Bool
	n.open.Go(func() {
		defer close(done)
		bit.Store(story(stop))
	})
	return wound{what: what, lasts: n.c.plan.Brief, over: done, bit: bit.Load, undo: func() { close(stop); <-done }}
}

// poll is how often a story looks whether something has happened.
const poll = 2 * time.Millisecond

// until waits for something; false if it does not come in time or the story is stopped.
func until(stop <-chan struct{}, most time.Duration, happened func() bool) bool {
	for began := time.Now(); time.Since(began) < most; {
		if happened() {
			return true
		}
		if await(stop, poll) {
			return false
		}
	}
	return false
}

// share draws a part of d, any as likely as any other.
func (n *nemesis) share(d time.Duration) time.Duration {
	return time.Duration(n.rng.Float64() * float64(d))
}

// three are a group's leader and its two followers, in any order; false if there are not just these, or somebody is down.
func (n *nemesis) three() (g slot.GroupID, leader, one, other *server, ok bool) {
	g = n.aGroup()
	leader = n.c.leader(g)
	if leader == nil || len(n.c.nodes) != 3 || len(n.running()) != 3 {
		return g, nil, nil, nil, false
	}
	rest := n.others(leader)
	return g, leader, rest[0], rest[1], true
}

// took says whether a node leads a group as Raft sees it, whether or not it is ready to serve.
func (s *server) took(id slot.GroupID) bool { return s.follows(id, s) }

// links are those from one host to some.
func links(h fabric.Host, to ...fabric.Host) func(from, to fabric.Host) bool {
	return func(x, y fabric.Host) bool { return x == h && slices.Contains(to, y) }
}

// lose makes the messages of groups get lost on some links: all, or only those that are given.
func (n *nemesis) lose(on func(from, to fabric.Host) bool, only func(memnet.Message) bool) (lift func()) {
	return n.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.Groups, On: on, Only: only})
}

// asks is for the requests of some kinds.
func asks(kinds ...peer.Kind) func(memnet.Message) bool {
	return func(m memnet.Message) bool { return !m.Reply && !m.Part && slices.Contains(kinds, m.Kind) }
}

// news are a group's AppendEntries that say more than who leads: entries, or what is committed.
func news(g slot.GroupID) func(memnet.Message) bool {
	return func(m memnet.Message) bool {
		f, ok := appended(g, m)
		return ok && !f.Heartbeat()
	}
}

// apartFromRaft are what nodes say to each other beside Raft.
func apartFromRaft(m memnet.Message) bool { return m.Kind > raftnet.KindSnapshot }
