package sim

import (
	"fmt"

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
	s := &lateSnapshot{nemesis: n, group: g, from: leader, to: n.others(leader)[0]}
	return n.play(fmt.Sprintf("group %d from %s to %s", g, s.from.host, s.to.host), s.tell)
}

type lateSnapshot struct {
	*nemesis
	group    slot.GroupID
	from, to *server
	stop     <-chan struct{}
}

// tell comes to its point with a snapshot that arrives after entries behind it.
func (s *lateSnapshot) tell(stop <-chan struct{}) (bit bool) {
	s.stop = stop
	first, ok := s.send()
	if !ok {
		return false
	}
	arrive := s.c.net.Add(fabric.Rule{Effect: fabric.Hold, Classes: fabric.Groups, On: links(s.from.host, s.to.host), Only: func(m memnet.Message) bool {
		return len(m.Payload) > 0 && &m.Payload[0] == &first.Payload[0]
	}})
	defer arrive()
	end := s.from.standing(s.group).SnapshotIndex
	s.begin(s.group, s.to, false).wait()
	s.begin(s.group, s.to, true).wait()
	return s.applies(s.to, end+1)
}

// send has the leader send a snapshot, and returns its first message.
func (s *lateSnapshot) send() (first fabric.Sent, ok bool) {
	heal := s.lose(about(s.to.host), nil)
	defer heal()
	behind := s.to.standing(s.group).Last
	if !s.applies(s.from, behind+ahead) || s.from.group(s.group).Snapshot() != nil {
		return first, false
	}
	heal()
	return s.c.sights.next(s.stop, 10*s.c.plan.Election, func(m fabric.Sent) bool {
		return m.From == s.from.host && m.To == s.to.host && m.Kind == raftnet.KindSnapshot && m.Group == s.group && !m.Reply && !m.Part && !m.Lost
	})
}

// applies waits until a node has applied an entry; false if that takes too long.
func (s *lateSnapshot) applies(at *server, index uint64) bool {
	return until(s.stop, 10*s.c.plan.Election, func() bool { return at.standing(s.group).Applied >= index })
}
