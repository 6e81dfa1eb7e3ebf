package service

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/placement/bootstrap"
	"github.com/quorate/quorate/placement/topology"
)

// Service is one node's part of placement: the map cache and its watch loop on every node, bootstrap and join, and
// on voters the replica of placement's log and, while it leads, the driver.
type Service struct {
	c       Config
	chart   *chart
	machine *machine
	// runID tells this start of the process from others.
	runID uint64
	ears  ears

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup
	// ready is closed once the node belongs to a cluster with groups.
	ready chan struct{}

	// mu guards the fields below. It is held while the record is written, so that memory never runs ahead of the disk.
	mu      sync.Mutex
	record  bootstrap.Record
	replica Replica // nil until this node is a voter of a founded cluster
	waiting string
	// leader is what a voter said last on a node without a replica; contact is when.
	leader  topology.NodeID
	contact time.Time
	closed  bool
}

// Open reads the files in c.Dir and starts the service's goroutines. A cached map is there at once.
func Open(c Config) (*Service, error) {
	c.Timing = c.Timing.withDefaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("placement: %w", err)
	}
	if c.Files == nil {
		if err := os.MkdirAll(c.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("placement: %w", err)
		}
		c.Files = folder(c.Dir)
	}
	s := &Service{c: c, ready: make(chan struct{}), waiting: "starting", runID: seeds(1)[0]}
	s.ears.init()
	if _, err := load(c.Files, recordFile, &s.record); err != nil {
		return nil, err
	}
	if err := s.readChart(); err != nil {
		return nil, err
	}
	s.machine = &machine{publish: s.publish, fatal: c.Fatal}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.wg.Go(s.run)
	s.wg.Go(s.greetLoop)
	s.wg.Go(s.announceReady)
	return s, nil
}

// readChart opens the map cache and fills the address book from what is on disk.
func (s *Service) readChart() (err error) {
	if p := s.record.Accepted; p != nil {
		for i := range p.Nodes {
			s.learn(p.Nodes[i].ID, p.Nodes[i].Peer)
		}
	}
	s.chart, err = openChart(s.c.Files, s.record.Cluster, s.learn)
	if err != nil {
		return err
	}
	if m, _ := s.chart.latest(); s.record.Cluster != "" && s.record.Accepted == nil && m.Epoch == 0 {
		return fmt.Errorf("placement: %s says that this node joined cluster %s, but %s is missing: restore it, or delete the data folder and join again",
			recordFile, s.record.Cluster, mapFile)
	}
	if s.record.Cluster != "" {
		s.c.Peers.SetCluster(s.record.Cluster)
	}
	return nil
}

// learn enters an address of another node into the book.
func (s *Service) learn(id topology.NodeID, addr string) {
	if id != s.c.Self.ID {
		s.c.Peers.SetAddr(id, addr)
	}
}

// Close stops the driver, the loops and the replica and waits for them.
func (s *Service) Close() error {
	s.stop()
	s.wg.Wait()
	s.mu.Lock()
	rep := s.replica
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if rep == nil || closed {
		return nil
	}
	return rep.Close()
}

// Map returns the newest map this node knows, never nil; epoch 0 means that it knows none yet.
func (s *Service) Map() *topology.Map {
	m, _ := s.chart.latest()
	return m
}

// Subscribe calls fn with the present map (if any) and then with each newer one, in order, from one goroutine; fn may
// miss epochs in between, never the newest. cancel returns when fn will not be called again; fn must not call it.
func (s *Service) Subscribe(fn func(*topology.Map)) (cancel func()) {
	ctx, stop := context.WithCancel(s.ctx)
	done := make(chan struct{})
	s.wg.Go(func() {
		defer close(done)
		for seen := uint64(0); ; {
			m, changed := s.chart.latest()
			if m.Epoch > seen {
				seen = m.Epoch
				fn(m)
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		stop()
		<-done
	}
}

// Cluster returns the id of the cluster that this node belongs to, "" while there is none.
func (s *Service) Cluster() string { return s.recorded().Cluster }

// Ready is closed once this node belongs to a cluster whose groups exist.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// Waiting says in one line what the service waits for before it is Ready, for logs and errors to the operator.
func (s *Service) Waiting() string {
	s.mu.Lock()
	why, cluster := s.waiting, s.record.Cluster
	s.mu.Unlock()
	switch {
	case cluster == "":
		return why + s.ears.complaints()
	case len(s.Map().Groups) > 0:
		return "nothing: cluster " + cluster + " is there"
	case s.Leader() == "":
		return "a leader of placement in cluster " + cluster + ": a majority of its voters must run and reach each other"
	}
	return "the first groups of cluster " + cluster
}

// Leader tells which node leads placement as far as this node knows, "" if it does not.
func (s *Service) Leader() topology.NodeID {
	s.mu.Lock()
	rep, leader := s.replica, s.leader
	s.mu.Unlock()
	if rep != nil {
		return topology.NodeID(rep.Leader().Leader)
	}
	return leader
}

// HandOver gives placement's leadership to another voter if this node has it: the first step of a graceful stop.
func (s *Service) HandOver(ctx context.Context) error {
	rep := s.held()
	if rep == nil || rep.Leader().Leader != string(s.c.Self.ID) {
		return nil
	}
	var last error
	for _, id := range s.voters() {
		if id == s.c.Self.ID {
			continue
		}
		if last = rep.Transfer(ctx, string(id)); last == nil || rep.Leader().Leader != string(s.c.Self.ID) {
			return last
		}
	}
	return last
}

// announceReady closes ready.
func (s *Service) announceReady() {
	for {
		m, changed := s.chart.latest()
		if len(m.Groups) > 0 && s.Cluster() != "" {
			close(s.ready)
			return
		}
		select {
		case <-changed:
		case <-s.ears.rung():
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Service) recorded() bootstrap.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record
}

// held returns this node's replica of placement's log, nil if it has none.
func (s *Service) held() Replica {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replica
}

// voters lists the nodes that host placement's log: as the map says, or, before the first map, the proposal.
func (s *Service) voters() []topology.NodeID {
	if m, _ := s.chart.latest(); m.Epoch > 0 {
		return m.Voters()
	}
	if p := s.recorded().Accepted; p != nil {
		return p.Voters()
	}
	return nil
}

func (s *Service) votes() bool { return slices.Contains(s.voters(), s.c.Self.ID) }

// publish takes a map from this node's own replica: it is committed, so what contradicts it is broken.
func (s *Service) publish(m *topology.Map) {
	if err := s.chart.advance(m); err != nil {
		s.c.Fatal(err)
	}
}

// pause waits for d, a wake-up or the end of the service, and reports whether the service goes on.
func (s *Service) pause(d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-s.ctx.Done():
	}
	return s.ctx.Err() == nil
}
