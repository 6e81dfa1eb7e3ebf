package service

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/bootstrap"
	"github.com/quorate/quorate/placement/topology"
)

// run finds or founds the cluster and then keeps up with it.
func (s *Service) run() {
	if !s.findCluster() {
		return
	}
	s.c.Log.Info("this node belongs to a cluster", "cluster", s.Cluster())
	if s.votes() {
		if err := s.openReplica(); err != nil {
			s.c.Fatal(fmt.Errorf("placement: open this node's replica of placement's log: %w", err))
			return
		}
		s.wg.Go(s.driveWhenLeading)
	} else {
		s.wg.Go(s.follow)
	}
	s.keepRegistered()
}

// findCluster executes bootstrap.Decide until this node belongs to a cluster; false if the service ends before.
func (s *Service) findCluster() bool {
	said := ""
	for s.ctx.Err() == nil {
		bell := s.ears.rung()
		a, err := s.decideOnce()
		if err != nil {
			a.Why = fmt.Sprintf("%s: %v", a.Why, err)
		}
		if a.Why != said {
			said = a.Why
			s.log(a)
		}
		if a.Verb == bootstrap.Done {
			return true
		}
		if err == nil && a.Verb != bootstrap.Wait && a.Verb != bootstrap.Halt {
			s.ears.ring() // what this node decided, others want to know
			continue
		}
		s.pause(s.c.Timing.Retry, bell)
	}
	return false
}

func (s *Service) log(a bootstrap.Action) {
	if a.Verb == bootstrap.Halt {
		s.c.Log.Error("this node cannot find its cluster without help", "why", a.Why)
		return
	}
	s.c.Log.Info("looking for a cluster", "next", a.Verb, "why", a.Why)
}

// decideOnce takes one decision and executes it. The lock keeps Init out in between.
func (s *Service) decideOnce() (bootstrap.Action, error) {
	heard := s.ears.lately(s.c.Timing.fresh())
	s.mu.Lock()
	a := bootstrap.Decide(s.c.Self, s.c.Expect, s.record, heard)
	s.waiting = a.Why
	err := s.bind(a)
	s.mu.Unlock()
	if a.Verb == bootstrap.Join {
		err = s.join(a.Via)
	}
	return a, err
}

// bind executes the decisions that bind this node, on disk. The caller holds mu.
func (s *Service) bind(a bootstrap.Action) error {
	next := s.record
	switch a.Verb {
	case bootstrap.Propose:
		p, err := bootstrap.NewProposal(newID(), s.c.Self.ID, a.Nodes, s.c.Shape)
		if err != nil {
			return err
		}
		next.Accepted = p
	case bootstrap.Accept:
		next.Accepted = a.Proposal
	case bootstrap.Found:
		next.Cluster = a.Proposal.Cluster
	default:
		return nil
	}
	return s.write(next)
}

// write makes next this node's record, on disk first. The caller holds mu. A failure is fatal: the node would not know
// what it has promised.
func (s *Service) write(next bootstrap.Record) error {
	if err := save(s.c.Files, recordFile, next); err != nil {
		s.c.Fatal(err)
		return err
	}
	s.record = next
	if next.Cluster != "" {
		s.c.Peers.SetCluster(next.Cluster)
	}
	if next.Accepted != nil {
		for i := range next.Accepted.Nodes {
			s.learn(next.Accepted.Nodes[i].ID, next.Accepted.Nodes[i].Peer)
		}
	}
	return nil
}

func newID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// join becomes a member of via's cluster: registered in the map first, then the map on disk, then the record.
func (s *Service) join(via bootstrap.Hello) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.c.Timing.Call)
	defer cancel()
	command, err := placement.Command{Change: placement.RegisterNode{Node: s.c.Self}}.Encode()
	if err != nil {
		return err
	}
	f, err := ask[fate](ctx, s, via.Node.ID, KindPropose, proposal{Cluster: via.Cluster, Command: command, Forward: true})
	if err != nil {
		return err
	}
	if f.Outcome != applied {
		return fmt.Errorf("cluster %s did not take this node: %s", via.Cluster, f.Text)
	}
	n, err := ask[news](ctx, s, via.Node.ID, KindWatch, watch{Cluster: via.Cluster})
	if err != nil {
		return err
	}
	return s.joined(via.Cluster, n.Map)
}

func (s *Service) joined(cluster string, m *topology.Map) error {
	if m == nil || m.Cluster != cluster {
		return fmt.Errorf("cluster %s has shown no map of it yet", cluster)
	}
	if n := m.NodeByID(s.c.Self.ID); n == nil {
		return errors.New("the map does not show this node yet")
	} else if n.Voter {
		err := fmt.Errorf("placement: node %s is a voter of cluster %s's placement, but its log and %s are gone: a voter that forgot its votes may not come back under its id; start it with an empty data folder",
			n.ID, cluster, recordFile)
		s.c.Fatal(err)
		return err
	}
	if err := s.chart.advance(m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(bootstrap.Record{Cluster: cluster})
}

// openReplica opens this voter's replica. Its first configuration is the proposal's, the same on every voter.
func (s *Service) openReplica() error {
	var first raft.Configuration
	for _, id := range s.recorded().Accepted.Voters() {
		first.Servers = append(first.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
	}
	rep, err := s.c.Open(s.machine, &first)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replica = rep
	return nil
}

// Init founds a new cluster of exactly the nodes that listen at addrs (peer addresses, this node's among them) and
// returns when its groups exist. It may be repeated.
func (s *Service) Init(ctx context.Context, addrs []string, shape Shape) error {
	nodes, err := s.meet(ctx, addrs)
	if err != nil {
		return fmt.Errorf("cluster init: %w", err)
	}
	if err := s.proposeCluster(nodes, shape); err != nil {
		return fmt.Errorf("cluster init: %w", err)
	}
	s.ears.ring()
	select {
	case <-s.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cluster init: begun and not finished (it goes on): %s", s.Waiting())
	case <-s.ctx.Done():
		return errors.New("cluster init: this node is stopping")
	}
}

// meet greets addrs and returns their nodes, this one among them, all different and free.
func (s *Service) meet(ctx context.Context, addrs []string) ([]topology.Node, error) {
	nodes := []topology.Node{s.c.Self}
	met := map[topology.NodeID]string{s.c.Self.ID: s.c.Self.Peer}
	selfNamed := false
	for _, addr := range addrs {
		if addr == s.c.Self.Peer {
			selfNamed = true
			continue
		}
		g, err := s.greet(ctx, addr)
		if err != nil {
			return nil, fmt.Errorf("node at %s: %w; check the address and that the node runs", addr, err)
		}
		if g.Node.ID == s.c.Self.ID {
			selfNamed = true
			continue
		}
		if other, twice := met[g.Node.ID]; twice {
			return nil, fmt.Errorf("%s and %s are the same node %s", other, addr, g.Node.ID)
		}
		if err := s.freeFor(g); err != nil {
			return nil, err
		}
		met[g.Node.ID] = addr
		nodes = append(nodes, g.Node)
	}
	if !selfNamed {
		return nil, fmt.Errorf("this node's own peer address %s must be among the addresses", s.c.Self.Peer)
	}
	return nodes, nil
}

// freeFor refuses a node that is bound to another cluster than this one may be.
func (s *Service) freeFor(g greeting) error {
	bound := g.Cluster
	if g.Accepted != nil {
		bound = g.Accepted.Cluster
	}
	own := s.recorded()
	if bound == "" || own.Cluster == bound || own.Accepted != nil && own.Accepted.Cluster == bound {
		return nil
	}
	return fmt.Errorf("node %s at %s is bound to cluster %s already", g.Node.ID, g.Node.Peer, bound)
}

// proposeCluster binds this node to a new proposal of nodes, or finds that it is bound to one of the same nodes.
func (s *Service) proposeCluster(nodes []topology.Node, shape Shape) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.record.Accepted; p != nil && len(p.Nodes) == len(nodes) {
		same := true
		for i := range nodes {
			same = same && p.Lists(nodes[i].ID)
		}
		if same {
			return nil
		}
	}
	switch {
	case s.record.Cluster != "":
		return fmt.Errorf("this node belongs to cluster %s already", s.record.Cluster)
	case s.record.Accepted != nil:
		return fmt.Errorf("this node has accepted to found cluster %s: %s", s.record.Accepted.Cluster, s.waiting)
	case s.c.Expect > 0 && s.c.Expect != len(nodes):
		return fmt.Errorf("%d nodes are given, but --bootstrap-expect is %d", len(nodes), s.c.Expect)
	}
	p, err := bootstrap.NewProposal(newID(), s.c.Self.ID, nodes, shape)
	if err != nil {
		return err
	}
	return s.write(bootstrap.Record{Accepted: p})
}
