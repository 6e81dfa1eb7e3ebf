package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/plan"
	"github.com/quorate/quorate/placement/topology"
)

// Handlers answer the requests of other nodes. They are to be registered before the peer listener serves.
func (s *Service) Handlers() map[uint8]Handler {
	return map[uint8]Handler{
		KindHello:    serving(maxSmall, s.serveHello),
		KindPropose:  serving(maxLarge, s.servePropose),
		KindWatch:    serving(maxSmall, s.serveWatch),
		KindStatus:   serving(maxSmall, s.serveStatus),
		KindTransfer: serving(maxSmall, s.serveTransfer),
		KindMembers:  serving(maxSmall, s.serveReconfigure),
	}
}

func (s *Service) serveStatus(_ context.Context, _ topology.NodeID, q inquiry) (Status, error) {
	if err := s.sameCluster(q.Cluster); err != nil {
		return Status{}, err
	}
	return s.status(), nil
}

func (s *Service) status() Status {
	return Status{Node: s.c.Self.ID, Run: s.runID, Epoch: s.Map().Epoch, Groups: s.c.Status()}
}

// serveTransfer hands a group over if this node still leads it in the term that was meant.
func (s *Service) serveTransfer(ctx context.Context, _ topology.NodeID, q handover) (struct{}, error) {
	if err := s.sameCluster(q.Cluster); err != nil {
		return struct{}{}, err
	}
	if err := s.leads(q.Group, q.Term); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.c.Transfer(ctx, q.Group, q.To)
}

// leads is an error unless this node leads group in term; 0 is any.
func (s *Service) leads(group slot.GroupID, term uint64) error {
	leads := slices.ContainsFunc(s.c.Status(), func(g GroupStatus) bool {
		return g.Group == group && g.Leading && (term == 0 || term == g.Term)
	})
	if !leads {
		return fmt.Errorf("node %s does not lead group %d any more", s.c.Self.ID, group)
	}
	return nil
}

// serveReconfigure changes a group's Raft configuration if this node still leads it in the term that was meant.
func (s *Service) serveReconfigure(ctx context.Context, _ topology.NodeID, q reconfigure) (struct{}, error) {
	if err := s.sameCluster(q.Cluster); err != nil {
		return struct{}{}, err
	}
	if err := s.leads(q.Group, q.Term); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.c.Reconfigure(ctx, q.Group, q.Action, q.Node, q.Config)
}

func (s *Service) askReconfigure(ctx context.Context, step plan.Reconfigure) error {
	q := reconfigure{Cluster: s.Cluster(), Group: step.Group, Term: step.Term, Action: step.Action, Node: step.Node, Config: step.Config}
	var err error
	if step.Leader == s.c.Self.ID {
		_, err = s.serveReconfigure(ctx, step.Leader, q)
	} else {
		_, err = ask[struct{}](ctx, s, step.Leader, KindMembers, q)
	}
	if err != nil {
		return fmt.Errorf("%s %s in group %d at node %s: %w", step.Action, step.Node, step.Group, step.Leader, err)
	}
	return nil
}

// TransferLeader asks the leader of group to hand it over to node to, a member of it. It does not change the
// preferred leader: with SpreadLeaders on, propose placement.PreferLeader first.
func (s *Service) TransferLeader(ctx context.Context, group slot.GroupID, to topology.NodeID) error {
	g := s.Map().GroupByID(group)
	if g == nil {
		return fmt.Errorf("transfer: group %d does not exist", group)
	}
	if !slices.Contains(g.Members, to) {
		return fmt.Errorf("transfer: node %s holds no replica of group %d", to, group)
	}
	from, term := s.leaderOf(ctx, g)
	if from == "" {
		return fmt.Errorf("transfer: no member of group %d says that it leads; try again", group)
	}
	if from == to {
		return nil
	}
	return s.handOver(ctx, from, handover{Cluster: s.Cluster(), Group: group, Term: term, To: to})
}

// leaderOf asks those who hold a replica of g who leads.
func (s *Service) leaderOf(ctx context.Context, g *topology.Group) (leader topology.NodeID, term uint64) {
	for id, st := range s.askStatus(ctx, g.Holders()) {
		for _, gs := range st.Groups {
			if gs.Group == g.ID && gs.Leading && gs.Term >= term {
				leader, term = id, gs.Term
			}
		}
	}
	return leader, term
}

func (s *Service) handOver(ctx context.Context, from topology.NodeID, q handover) error {
	var err error
	if from == s.c.Self.ID {
		_, err = s.serveTransfer(ctx, from, q)
	} else {
		_, err = ask[struct{}](ctx, s, from, KindTransfer, q)
	}
	if err != nil {
		return fmt.Errorf("transfer group %d from node %s to %s: %w", q.Group, from, q.To, err)
	}
	return nil
}

var errWrongNode = errors.New("status of another node")

// askStatus asks nodes at once what they lead; those that don't answer within Timing.Call are missing.
func (s *Service) askStatus(ctx context.Context, ids []topology.NodeID) map[topology.NodeID]Status {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timing.Call)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := map[topology.NodeID]Status{}
	for _, id := range ids {
		wg.Go(func() {
			st, err := s.statusOf(ctx, id)
			if err != nil {
				s.c.Log.Debug("a node does not answer", "node", id, "err", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			out[id] = st
		})
	}
	wg.Wait()
	return out
}

func (s *Service) statusOf(ctx context.Context, id topology.NodeID) (Status, error) {
	if id == s.c.Self.ID {
		return s.status(), nil
	}
	st, err := ask[Status](ctx, s, id, KindStatus, inquiry{Cluster: s.Cluster()})
	if err == nil && st.Node != id {
		err = errWrongNode
	}
	return st, err
}
