package resp

import (
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/resp/clusterview"
)

// routes is what connections route by: an immutable picture of map and leaders, replaced as a whole at every
// change. It is a hint; a group that is asked wrongly says so.
type routes struct {
	view *clusterview.View
	// slots gives for each slot an index into targets. targets[0] stands for "no group".
	slots   *[slot.Count]uint16
	targets []target
	// changed is closed when a newer routes exists.
	changed chan struct{}
}

// target is one group.
type target struct {
	id slot.GroupID
	// leader is "" during an election.
	leader topology.NodeID
	// addr is where leader serves clients, "" if unknown.
	addr string
	// replica is this node's, nil if there is none; leading says that leader is this node.
	replica Group
	leading bool
	// member: this node may be elected, even if its replica is not open yet. One that joins may not, and learns late who leads.
	member bool
}

// at returns the group that owns slot n.
func (r *routes) at(n uint16) *target { return &r.targets[r.slots[n]] }

// router builds routes and remembers what only history knows.
type router struct {
	mu sync.Mutex
	// last are the last known leaders; leading the groups that this node led in the newest routes.
	last    map[slot.GroupID]topology.NodeID
	leading map[slot.GroupID]bool
	m       *topology.Map
	slots   *[slot.Count]uint16
}

// refresh builds new routes from b. lost reports that this node stopped leading a group.
func (rt *router) refresh(b Backend) (next *routes, lost bool) {
	m := b.Map()
	if rt.last == nil {
		rt.last = map[slot.GroupID]topology.NodeID{}
	}
	if m != rt.m {
		rt.m, rt.slots = m, slotIndex(m)
	}
	next = &routes{slots: rt.slots, targets: make([]target, 1+len(m.Groups)), changed: make(chan struct{})}
	leading := map[slot.GroupID]bool{}
	for i := range m.Groups {
		t := newTarget(b, m, &m.Groups[i])
		if t.leader != "" {
			rt.last[t.id] = t.leader
		}
		if t.leading {
			leading[t.id] = true
		}
		next.targets[i+1] = t
	}
	for g := range rt.leading {
		lost = lost || !leading[g]
	}
	rt.leading = leading
	next.view = clusterview.New(m, b.Self(), rt.last)
	return next, lost
}

func newTarget(b Backend, m *topology.Map, g *topology.Group) target {
	t := target{id: g.ID, leader: b.Leader(g.ID), replica: b.Replica(g.ID), member: slices.Contains(g.Members, b.Self())}
	if t.leader == b.Self() {
		// A leader whose replica is closing or not yet open cannot serve: as good as unknown.
		t.leading = t.replica != nil
		if !t.leading {
			t.leader = ""
		}
		return t
	}
	if n := m.NodeByID(t.leader); n != nil {
		t.addr = n.Client
	}
	return t
}

// slotIndex inverts m.Groups: slot to position, counted from 1.
func slotIndex(m *topology.Map) *[slot.Count]uint16 {
	position := make(map[slot.GroupID]uint16, len(m.Groups))
	for i := range m.Groups {
		position[m.Groups[i].ID] = uint16(i + 1)
	}
	var out [slot.Count]uint16
	for n, g := range m.Slots {
		out[n] = position[g]
	}
	return &out
}

// TopologyChanged tells the server that Backend.Map, Backend.Leader or Backend.Replica answers something new. It
// wakes parked commands and, where this node stopped leading a group, flushes client-side caches. It does not block.
func (s *Server) TopologyChanged() {
	s.router.mu.Lock()
	prev := s.routes.Load()
	next, lost := s.router.refresh(s.b)
	s.routes.Store(next)
	if prev != nil && !prev.view.SameRoutes(next.view) {
		s.nudges.Add(1)
	}
	s.router.mu.Unlock()
	if prev != nil {
		close(prev.changed)
	}
	if lost {
		s.tracked.AllChanged()
	}
}

// lookAgain is how often raft is asked whether it agrees with the routes. It may come to do so without newer ones.
const lookAgain = 5 * time.Millisecond

// awaitChange waits until rt is outdated, and with poll for lookAgain at most. It reports false at the deadline, and when the server stops.
func (s *Server) awaitChange(rt *routes, poll bool, deadline time.Time) bool {
	left := time.Until(deadline)
	pause := left
	if poll {
		pause = min(left, lookAgain)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-rt.changed:
		return true
	case <-timer.C:
		return pause < left
	case <-s.stopping:
		return false
	}
}

// clientAddr is the address of node id for MOVED, "" if the map does not have it.
func (r *routes) clientAddr(id string) string {
	if n := r.view.Map.NodeByID(topology.NodeID(id)); n != nil {
		return n.Client
	}
	return ""
}

// otherAddr is the address of node id for MOVED, "" if the map does not have it or it is this node.
func (s *Server) otherAddr(id string) string {
	if id == string(s.b.Self()) {
		return ""
	}
	return s.routes.Load().clientAddr(id)
}

// selfAddr is this node's own address as clients know it.
func (s *Server) selfAddr() string { return s.routes.Load().clientAddr(string(s.b.Self())) }

// port is the port of this node's client address, 0 if unknown.
func (s *Server) port() int {
	_, text, err := net.SplitHostPort(s.selfAddr())
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}
