package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/jepsen/sim/machine"
	"github.com/quorate/quorate/rpc/raftnet"
)

// lateOrder plays what an order to take over of any age could do. While it is under way, the leader gives that hand-over up and makes
// another node the leader; then the order arrives, and the next leader is told of the votes that it leads to when its lease is nearly over.
func (n *nemesis) lateOrder() wound {
	g, first, next, target, ok := n.three()
	if !ok {
		return wound{}
	}
	finding := n.share(n.c.plan.Lease)
	return n.play(fmt.Sprintf("group %d from %s to %s, and later to %s", g, first.host, next.host, target.host), func(stop <-chan struct{}) bool {
		arrives := n.c.net.Add(fabric.Rule{
			Effect: fabric.Hold, Classes: fabric.Groups, On: links(first.host, target.host), Only: asks(raftnet.KindTimeoutNow),
		})
		defer arrives()
		n.hands(g, first, target)
		n.hands(g, first, next)
		if !until(stop, n.c.plan.Election, func() bool { return n.c.leader(g) == next }) || await(stop, finding) { // clients find it
			return false
		}
		defer n.c.net.Add(fabric.Rule{
			Effect: fabric.Worsen, Classes: fabric.Groups | fabric.Placement, On: func(_, to fabric.Host) bool { return to == next.host },
			Weather: fabric.Weather{Delay: n.c.plan.Lease * 9 / 10},
		})()
		arrives()
		await(stop, 2*n.c.plan.Lease)
		return true
	})
}

// hands has a node hand a group over to another one, and waits for what comes of it.
func (n *nemesis) hands(g slot.GroupID, from, to *server) {
	if replica := from.group(g); replica != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = replica.Transfer(ctx, string(n.c.idOf(to))) // who leads afterwards can be seen
	}
}

// forgottenPromise plays what a promise is for that is kept across a restart: one follower, which has all entries, does not hear the leader and
// asks for votes; the other is restarted right after it has told the leader that it follows, and the leader is cut off.
func (n *nemesis) forgottenPromise() wound {
	g, leader, voter, candidate, ok := n.three()
	if !ok {
		return wound{}
	}
	apart := 2*n.c.plan.Election + n.share(n.c.plan.Election)
	return n.play(fmt.Sprintf("%s leads group %d, %s restarts, %s campaigns", leader.host, g, voter.host, candidate.host), func(stop <-chan struct{}) bool {
		defer n.lose(links(leader.host, voter.host), news(g))()
		if await(stop, time.Second) { // what the voter has, the candidate has, too
			return false
		}
		defer n.lose(across([]fabric.Host{leader.host}, []fabric.Host{candidate.host}), nil)()
		if await(stop, apart) || n.c.leader(g) != leader {
			return false
		}
		if _, p := voter.now(); p != nil {
			voter.die(p, false)
		}
		defer n.lose(about(leader.host), nil)()
		voter.start()
		await(stop, 2*n.c.plan.Lease)
		return true
	})
}

// learner plays what a leader could take for a quorum: it and a node that joins, which has no vote yet, since it gets no entries. When they
// are cut off, Raft does not notice for as long as answers from before arrive, which take long, and come in turns.
func (n *nemesis) learner() wound {
	g, m := n.aGroup(), n.c.known()
	leader := n.c.leader(g)
	if leader == nil || m == nil {
		return wound{}
	}
	var joins *server
	var voters []*server
	for _, s := range n.others(leader) {
		if m.GroupByID(g).Holds(n.c.idOf(s)) {
			voters = append(voters, s)
		} else {
			joins = s
		}
	}
	if joins == nil || n.c.changing() != "" || len(n.running()) != len(n.c.nodes) {
		return wound{}
	}
	return n.play(fmt.Sprintf("%s leads group %d, %s joins", leader.host, g, joins.host), func(stop <-chan struct{}) bool {
		defer n.lose(links(leader.host, joins.host), news(g))()
		order := n.begin(g, joins, true)
		defer func() {
			order.end()
			n.begin(g, joins, false).wait()
		}()
		if !until(stop, 4*n.c.plan.Election, func() bool { return joins.follows(g, leader) }) {
			return false
		}
		turn := n.c.plan.Lease * 17 / 20 // a leader that hears nothing for a lease gives up
		for _, s := range voters {
			defer n.c.net.Add(fabric.Rule{
				Effect: fabric.Worsen, Classes: fabric.Groups, On: links(s.host, leader.host),
				Weather: fabric.Weather{Delay: time.Duration(len(voters)) * turn},
			})()
			if await(stop, turn) {
				return false
			}
		}
		apart := across([]fabric.Host{leader.host, joins.host}, hosts(voters))
		defer n.lose(func(from, to fabric.Host) bool { return apart(from, to) && to != leader.host }, nil)()
		led := until(stop, 3*n.c.plan.Election, func() bool { return n.another(g, leader) })
		await(stop, n.c.plan.Election)
		return led
	})
}

// follows says whether a node takes another one for a group's leader.
func (s *server) follows(id slot.GroupID, leader *server) bool {
	g := s.group(id)
	return g != nil && g.Leader().Leader == string(s.c.idOf(leader))
}

// stuckLeader plays what a refusal could be taken for: a leader whose disk stands still does not come to hear that it was replaced; the
// others tell it in their answers.
func (n *nemesis) stuckLeader() wound {
	g := n.aGroup()
	leader := n.c.leader(g)
	if leader == nil {
		return wound{}
	}
	writes := n.between(0, time.Second)
	return n.play(fmt.Sprintf("%s leads group %d", leader.host, g), func(stop <-chan struct{}) bool {
		began := time.Now()
		leader.machine.SetDisk(machine.DiskFault{Stuck: true})
		defer func() { leader.machine.SetDisk(n.c.healthy()) }()
		if await(stop, writes) { // of a client, so that it waits for the disk
			return false
		}
		apart := n.lose(about(leader.host), nil)
		defer apart()
		if !until(stop, stall*8/10-time.Since(began), func() bool { return n.another(g, leader) }) {
			return false
		}
		apart()
		await(stop, time.Until(began.Add(stall*9/10))) // a disk that stands still for longer ends the process
		return true
	})
}

// another says whether somebody else leads a group and is ready to serve it.
func (n *nemesis) another(g slot.GroupID, than *server) bool {
	return slices.ContainsFunc(n.c.nodes, func(s *server) bool { return s != than && s.leads(g) })
}
