package service

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/plan"
	"github.com/quorate/quorate/placement/topology"
)

// maxLag is how many entries the preferred leader may be behind, as two polls a few milliseconds apart see it.
const maxLag = 4096

// driveWhenLeading runs the driver during each leadership of this node's replica.
func (s *Service) driveWhenLeading() {
	rep := s.held()
	for s.ctx.Err() == nil {
		changed := rep.Changed()
		if l := rep.Leader(); l.Ready {
			s.drive(l.Term)
			continue
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
		}
	}
}

// drive takes steps until this node no longer leads placement in term. What it learns while it watches the nodes is
// lost then: that is all it remembers.
func (s *Service) drive(term uint64) {
	rep, eyes := s.held(), newEyes()
	for s.ctx.Err() == nil {
		changed := rep.Changed()
		if l := rep.Leader(); !l.Ready || l.Term != term {
			return
		}
		err := s.driveOnce(eyes)
		if err != nil {
			s.c.Log.Warn("placement's next step failed", "err", err)
		}
		if !s.pause(s.c.Timing.Poll, changed) {
			return
		}
	}
}

// driveOnce takes the next steps from an empty log to a cluster at once, and then one step per observation.
func (s *Service) driveOnce(eyes *eyes) error {
	if s.machine.now().Map == nil {
		if err := s.proposeInit(); err != nil {
			return err
		}
	}
	state := s.machine.now()
	var seen plan.Observed
	if len(state.Map.Groups) > 0 {
		seen = eyes.see(s.askStatus(s.ctx, ids(state.Map)), state.Map, time.Now())
	}
	limits := plan.Limits{Settle: s.c.Timing.Settle.Milliseconds(), MaxLag: maxLag}
	switch step := plan.Next(state.Map, state.Wanted.Groups, state.Wanted.Replicas, seen, limits).(type) {
	case plan.CreateGroups:
		groups := plan.FirstGroups(state.Map.Nodes, step.Replicas, seeds(step.Groups))
		_, err := s.Propose(s.ctx, placement.CreateGroups{Groups: groups})
		return err
	case plan.Transfer:
		return s.transfer(eyes, step)
	case plan.Reconfigure:
		return s.reconfigure(eyes, step)
	case plan.Record:
		return s.conclude(step)
	}
	return nil
}

// reconfigure executes a step whose intent is in the map.
func (s *Service) reconfigure(eyes *eyes, step plan.Reconfigure) error {
	ctx, cancel := context.WithTimeout(s.ctx, 2*s.c.Timing.Call)
	defer cancel()
	if err := s.askReconfigure(ctx, step); err != nil {
		eyes.rest(step.Group, time.Now().Add(s.c.Timing.Settle))
		return err
	}
	s.c.Log.Info("changed a group's members", "group", step.Group, "action", step.Action, "node", step.Node)
	return nil
}

// conclude writes down that a change of members is done.
func (s *Service) conclude(step plan.Record) (err error) {
	if step.Added {
		_, err = s.Propose(s.ctx, placement.ReplicaAdded{Group: step.Group, Node: step.Node})
	} else {
		_, err = s.Propose(s.ctx, placement.ReplicaRemoved{Group: step.Group, Node: step.Node})
	}
	return err
}

func (s *Service) proposeInit() error {
	p := s.recorded().Accepted
	_, err := s.Propose(s.ctx, placement.Init{Cluster: p.Cluster, Nodes: p.Nodes, Groups: p.Groups, Replicas: p.Replicas, Settings: p.Settings})
	if err == nil && s.machine.now().Map == nil {
		err = fmt.Errorf("cluster %s is founded, but this node does not show it yet", p.Cluster)
	}
	return err
}

// transfer executes a step. Where a group is led is not in the map, so there is no intent to log.
func (s *Service) transfer(eyes *eyes, t plan.Transfer) error {
	ctx, cancel := context.WithTimeout(s.ctx, 2*s.c.Timing.Call)
	defer cancel()
	err := s.handOver(ctx, t.From, handover{Cluster: s.Cluster(), Group: t.Group, Term: t.Term, To: t.To})
	if err != nil {
		eyes.rest(t.Group, time.Now().Add(6*s.c.Timing.Settle))
		return err
	}
	s.c.Log.Info("moved a group's leadership to the preferred node", "group", t.Group, "from", t.From, "to", t.To)
	return nil
}

func ids(m *topology.Map) []topology.NodeID {
	out := make([]topology.NodeID, len(m.Nodes))
	for i := range m.Nodes {
		out[i] = m.Nodes[i].ID
	}
	return out
}

func seeds(n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		out[i] = binary.LittleEndian.Uint64(b[:])
	}
	return out
}

// eyes turn single answers into durations: since when a node answers, since when a leader leads.
type eyes struct {
	alive   map[topology.NodeID]alive
	leaders map[slot.GroupID]leading
	resting map[slot.GroupID]time.Time
	// close is since when the node that joins a group has been close behind its leader.
	close map[joining]time.Time
}

type joining struct {
	group slot.GroupID
	node  topology.NodeID
}

type alive struct {
	run   uint64
	since time.Time
}

type leading struct {
	node  topology.NodeID
	term  uint64
	since time.Time
}

func newEyes() *eyes {
	return &eyes{map[topology.NodeID]alive{}, map[slot.GroupID]leading{}, map[slot.GroupID]time.Time{}, map[joining]time.Time{}}
}

func (e *eyes) rest(g slot.GroupID, until time.Time) { e.resting[g] = until }

// see takes in the answers of one poll. A node that missed it starts anew, and so does one that was restarted since the last:
// clients may still hold dead connections to it that they have not noticed. A replica of an earlier life is none: its node will delete
// it, with all that it has acknowledged, when it hears that it has left and come back.
func (e *eyes) see(answers map[topology.NodeID]Status, m *topology.Map, now time.Time) plan.Observed {
	o := plan.Observed{AliveFor: map[topology.NodeID]int64{}, Groups: map[slot.GroupID]plan.Group{}}
	for id := range e.alive {
		if _, ok := answers[id]; !ok {
			delete(e.alive, id)
		}
	}
	for id, st := range answers {
		if old, ok := e.alive[id]; !ok || old.run != st.Run {
			e.alive[id] = alive{st.Run, now}
		}
		o.AliveFor[id] = now.Sub(e.alive[id].since).Milliseconds()
		for _, g := range st.Groups {
			if of := m.GroupByID(g.Group); of != nil && of.Life(id) == g.Life {
				o.Groups[g.Group] = seeReplica(o.Groups[g.Group], id, g)
			}
		}
	}
	for id, g := range o.Groups {
		old := e.leaders[id]
		if old.node != g.Leader || old.term != g.Term {
			old = leading{g.Leader, g.Term, now}
			e.leaders[id] = old
		}
		g.HeldFor = now.Sub(old.since).Milliseconds()
		g.Resting = now.Before(e.resting[id])
		o.Groups[id] = g
	}
	e.seeJoining(o, m, now)
	return o
}

// seeJoining times how long those who join have been close to their leaders.
func (e *eyes) seeJoining(o plan.Observed, m *topology.Map, now time.Time) {
	before := e.close
	e.close = map[joining]time.Time{}
	for i := range m.Groups {
		g := &m.Groups[i]
		seen, known := o.Groups[g.ID]
		if g.Joining == "" || !known || !seen.Close {
			continue
		}
		who := joining{g.ID, g.Joining}
		e.close[who] = now
		if since, again := before[who]; again {
			e.close[who] = since
		}
		seen.CloseFor = now.Sub(e.close[who]).Milliseconds()
		o.Groups[g.ID] = seen
	}
}

// seeReplica adds what node id says of its replica. Of two that say they lead, the one of the higher term does.
func seeReplica(seen plan.Group, id topology.NodeID, g GroupStatus) plan.Group {
	if seen.Applied == nil {
		seen.Applied = map[topology.NodeID]uint64{}
	}
	seen.Applied[id] = g.Applied
	if g.Leading && g.Term > seen.Term {
		seen.Leader, seen.Term, seen.Last = id, g.Term, g.Last
		seen.Config, seen.Settled = g.Config, g.Config > 0 && g.Config <= g.Committed
		seen.Voters, seen.Learners, seen.Close = nil, nil, false
		for _, s := range g.Servers {
			if s.Voter {
				seen.Voters = append(seen.Voters, s.Node)
				continue
			}
			// There is one learner at most: the one that joins.
			seen.Learners = append(seen.Learners, s.Node)
			seen.Close = s.Matched+maxLag >= g.Last && s.Matched > 0
		}
	}
	return seen
}
