package sim

import (
	"fmt"
	"sync"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/jepsen/sim/machine"
	"github.com/quorate/quorate/jepsen/sim/oracle"
	"github.com/quorate/quorate/placement/topology"
)

// cluster is all nodes, their machines and what is between them.
type cluster struct {
	plan   Plan
	net    *fabric.Net
	oracle *oracle.Oracle
	trace  *trace
	nodes  []*server
	sights sights

	// ending are the goroutines that close nodes which have died.
	ending sync.WaitGroup
	losses lossLedger
	// marks are of each group; only the run's own goroutine uses them.
	marks map[slot.GroupID]mark

	mu sync.Mutex
	// newest is the newest map that was seen.
	newest *topology.Map
	ids    map[*server]topology.NodeID
}

func newCluster(p Plan, t *trace) *cluster {
	c := &cluster{plan: p, oracle: oracle.New(func(v oracle.Violation) { t.event("VIOLATION: %s: %s", v.Checker, v.Text) }), trace: t, marks: map[slot.GroupID]mark{}, ids: map[*server]topology.NodeID{}}
	c.net = fabric.New(p.Seed, p.Weather, c.sent)
	c.losses.init(c)
	for i := range p.Nodes {
		s := &server{c: c, i: i, host: fabric.Host(fmt.Sprintf("n%d", i+1))}
		s.machine = machine.New(string(s.host))
		c.calm(s)
		c.nodes = append(c.nodes, s)
	}
	return c
}

// calm takes all faults of a machine's disk and clock away.
func (c *cluster) calm(s *server) {
	s.machine.SetDisk(c.healthy())
	s.machine.SetClock(0, 0)
}

func (c *cluster) healthy() machine.DiskFault {
	return machine.DiskFault{Delay: c.plan.Sync, Jitter: 4 * c.plan.Sync}
}

// sent looks at what nodes say to each other.
func (c *cluster) sent(m fabric.Sent) {
	c.trace.message(m)
	c.sights.look(m)
	if f, ok := frameOf(m); ok && f.Leads() {
		c.oracle.Led(m.Group, f.Term, string(m.From))
	}
}

// leader finds who leads a group, nil if nobody does.
func (c *cluster) leader(id slot.GroupID) *server {
	for _, s := range c.nodes {
		if s.leads(id) {
			return s
		}
	}
	return nil
}

// look takes in the newest map that any node knows.
func (c *cluster) look() {
	for _, s := range c.nodes {
		n, _ := s.now()
		if n == nil {
			continue
		}
		m := n.Map()
		c.mu.Lock()
		if len(m.Groups) > 0 && (c.newest == nil || m.Epoch > c.newest.Epoch) {
			c.newest = m
		}
		c.mu.Unlock()
	}
}

// known is the newest map that was seen; nil before there was one with groups.
func (c *cluster) known() *topology.Map {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}

func (c *cluster) idOf(s *server) topology.NodeID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[s]
}
