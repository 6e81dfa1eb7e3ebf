package sim

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// ahead is by how many entries a leader gets ahead of a replica that is to need a snapshot.
const ahead = 50

// lateSnapshot plays a snapshot that is under way for longer than its receiver is a member: the receiver leaves, comes back, is
// sent the same snapshot again and all that is behind it, and then the first one arrives, in the same term.
func (n *nemesis) lateSnapshot() wound {
	g, m := n.aGroup(), n.c.known()
	leader := n.c.leader(g)
	if m == nil || leader == nil || len(n.c.nodes) < 3 || n.c.changing() != "" || !n.c.level(g) {
		return wound{}
	}
	s := &lateSnapshot{nemesis: n, group: g, from: leader, to: n.others(leader)[0], stop: make(chan struct{})}
	done := make(chan struct{})
	n.open.Go(func() {
		defer close(done)
		s.play()
	})
	return wound{
		what: fmt.Sprintf("group %d from %s to %s", g, s.from.host, s.to.host), lasts: 20*n.c.plan.Election + 2*returning,
		undo: func() { close(s.stop); <-done }, bit: func() bool { return s.bit },
	}
}

type lateSnapshot struct {
	*nemesis
	group    slot.GroupID
	from, to *server
	stop     chan struct{}
	// bit: the snapshot arrived after entries behind it.
	bit bool
}

func (s *lateSnapshot) play() {
	first, ok := s.send()
	if !ok {
		return
	}
	arrive := s.c.net.Add(fabric.Rule{Effect: fabric.Hold, Classes: fabric.Groups, On: to(s.from.host, s.to.host), Only: func(m memnet.Message) bool {
		return len(m.Payload) > 0 && &m.Payload[0] == &first.Payload[0]
	}})
	defer arrive()
	end := s.from.standing(s.group).SnapshotIndex
	s.begin(s.group, s.to, false).wait()
	s.begin(s.group, s.to, true).wait()
	s.bit = s.to.applies(s.group, end+1, 10*s.c.plan.Election, s.stop)
}

// send has the leader send a snapshot, and returns its first message.
func (s *lateSnapshot) send() (first fabric.Sent, ok bool) {
	heal := s.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: fabric.Groups, On: about(s.to.host)})
	defer heal()
	behind := s.to.standing(s.group).Last
	if !s.from.applies(s.group, behind+ahead, 10*s.c.plan.Election, s.stop) || s.from.group(s.group).Snapshot() != nil {
		return first, false
	}
	heal()
	return s.c.sights.next(s.stop, 10*s.c.plan.Election, func(m fabric.Sent) bool {
		return m.From == s.from.host && m.To == s.to.host && m.Kind == raftnet.KindSnapshot && m.Group == s.group && !m.Reply && !m.Part && !m.Lost
	})
}

// applies waits until a node's replica has applied an entry, but not for longer than most.
func (s *server) applies(g slot.GroupID, index uint64, most time.Duration, stop <-chan struct{}) bool {
	for began := time.Now(); time.Since(began) < most; {
		if s.standing(g).Applied >= index {
			return true
		}
		if await(stop, pollPause/10) {
			return false
		}
	}
	return false
}
