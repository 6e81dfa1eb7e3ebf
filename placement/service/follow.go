package service

import (
	"context"
	"fmt"
	"time"

	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
)

// follow asks placement's voters for newer maps, one after the other, for as long as the service runs. Voters need not:
// their own replica tells them.
func (s *Service) follow() {
	delay := s.c.Timing.Retry
	for turn := 0; s.ctx.Err() == nil; turn++ {
		voters := s.voters()
		err := s.watchAt(voters[turn%len(voters)])
		if err == nil {
			delay = s.c.Timing.Retry
			continue
		}
		s.c.Log.Debug("no news of the map", "voter", voters[turn%len(voters)], "err", err)
		if (turn+1)%len(voters) != 0 {
			continue // the next one may know
		}
		if !s.pause(delay, nil) {
			return
		}
		delay = min(2*delay, 10*s.c.Timing.Retry)
	}
}

// watchAt asks one voter. A voter that is out of touch with the others counts as a failure.
func (s *Service) watchAt(voter topology.NodeID) error {
	wait := s.c.Timing.LongPoll
	ctx, cancel := context.WithTimeout(s.ctx, wait+s.c.Timing.Call)
	defer cancel()
	q := watch{Cluster: s.Cluster(), Epoch: s.Map().Epoch, WaitMS: wait.Milliseconds()}
	n, err := ask[news](ctx, s, voter, KindWatch, q)
	if err != nil {
		return err
	}
	if err := s.take(n.Map); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader = n.Leader
	if n.Leader == "" {
		return fmt.Errorf("voter %s knows no leader of placement", voter)
	}
	s.contact = time.Now()
	return nil
}

// take advances the chart to a map that another node sent. Bad bytes from outside are refused, a full disk is fatal.
func (s *Service) take(m *topology.Map) error {
	if m == nil {
		return nil
	}
	err := s.chart.advance(m)
	if _, disk := err.(*diskError); disk {
		s.c.Fatal(err)
	}
	return err
}

// serveWatch answers with the map once it is newer than the caller's. A node without a replica answers at once with
// what it has: a joining node asks any member.
func (s *Service) serveWatch(ctx context.Context, _ topology.NodeID, q watch) (news, error) {
	if err := s.sameCluster(q.Cluster); err != nil {
		return news{}, err
	}
	wait := min(time.Duration(max(q.WaitMS, 0))*time.Millisecond, maxWait)
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		m, changed := s.chart.latest()
		if m.Epoch > q.Epoch {
			return news{Map: m, Leader: s.Leader()}, nil
		}
		rep := s.held()
		if rep == nil {
			return news{Leader: ""}, nil
		}
		moved := rep.Changed()
		if rep.Leader().Leader == "" {
			return news{}, nil
		}
		select {
		case <-changed:
		case <-moved:
		case <-timeout.C:
			return news{Leader: s.Leader()}, nil
		case <-ctx.Done():
			return news{}, ctx.Err()
		case <-s.ctx.Done():
			return news{}, s.ctx.Err()
		}
	}
}

// maxWait bounds how long a request may be held.
const maxWait = time.Minute

func (s *Service) sameCluster(theirs string) error {
	own := s.Cluster()
	if own == "" {
		return ErrNoCluster
	}
	if theirs != own {
		return fmt.Errorf("placement: a request for cluster %.40q, but this node belongs to cluster %s: check --join and the addresses", theirs, own)
	}
	return nil
}

// registered: the map shows this node as it is.
func (s *Service) registered() bool {
	n := s.Map().NodeByID(s.c.Self.ID)
	if n == nil {
		return false
	}
	self := s.c.Self
	self.Voter = n.Voter
	return *n == self
}

// keepRegistered brings this node's addresses, name, zone and weight into the map whenever they differ from it: it came
// back elsewhere, or another node took an address over.
func (s *Service) keepRegistered() {
	delay, since := s.c.Timing.Retry, time.Now()
	for {
		m, changed := s.chart.latest()
		if m.Epoch == 0 || s.registered() {
			select {
			case <-changed:
				continue
			case <-s.ctx.Done():
				return
			}
		}
		// Two nodes that claim one address would otherwise take it from each other ten times a second.
		if time.Since(since) > calm {
			delay = s.c.Timing.Retry
		}
		since = time.Now()
		if _, err := s.Propose(s.ctx, placement.RegisterNode{Node: s.c.Self}); err != nil {
			s.c.Log.Warn("this node is not registered as it is", "err", err)
		}
		if !s.pause(delay, nil) {
			return
		}
		delay = min(2*delay, 100*s.c.Timing.Retry)
	}
}

// calm is the time after which a change of this node's entry in the map counts as the first one.
const calm = time.Minute
