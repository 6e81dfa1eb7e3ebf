package plan

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Assign says which nodes hold each group: replicas of them, or as many as there are nodes that take any.
//
// It is consistent hashing with bounded loads. Each pair of node and group has a weighted rendezvous score, so that
// neither depends on who else is there; each node has a share of the replicas by its weight. What current says is
// kept as far as it is allowed; missing replicas go to the best score among the nodes that are least over their
// share; then single replicas move from the fullest to the emptiest node while that evens them out. So a node that
// joins N balanced ones takes about 1/(N+1) of the replicas, and nothing else moves. A group's replicas lie in as
// many zones as they can before they lie where there is room.
func Assign(nodes []topology.Node, groups []slot.GroupID, replicas int, current map[slot.GroupID][]topology.NodeID) map[slot.GroupID][]topology.NodeID {
	a := newAssignment(nodes, groups, replicas)
	for _, g := range a.groups {
		a.keep(g, current[g])
	}
	for _, g := range a.groups {
		for len(a.held[g]) < a.replicas {
			a.add(g, a.bestFor(g))
		}
	}
	a.level()
	out := make(map[slot.GroupID][]topology.NodeID, len(groups))
	for g, held := range a.held {
		for _, s := range held {
			out[g] = append(out[g], s.node.ID)
		}
	}
	return out
}

// server is a node that takes replicas, with what it has and what its fair share is.
type server struct {
	node  *topology.Node
	load  int
	share float64
}

// over is by how many replicas s is above its share.
func (s *server) over() float64 { return float64(s.load) - s.share }

type assignment struct {
	servers  []*server // by id
	groups   []slot.GroupID
	replicas int
	zones    int
	held     map[slot.GroupID][]*server
}

func newAssignment(nodes []topology.Node, groups []slot.GroupID, replicas int) *assignment {
	a := &assignment{groups: slices.Sorted(slices.Values(groups)), held: map[slot.GroupID][]*server{}}
	zones := map[string]bool{}
	for i := range nodes {
		if nodes[i].Weight > 0 {
			a.servers = append(a.servers, &server{node: &nodes[i]})
			zones[nodes[i].Zone] = true
		}
	}
	slices.SortFunc(a.servers, func(x, y *server) int { return cmp.Compare(x.node.ID, y.node.ID) })
	a.replicas = min(replicas, len(a.servers))
	a.zones = len(zones)
	a.setShares()
	return a
}

// setShares divides all replicas by weight. No node can hold a group twice, so a share ends at one replica of each
// group, and what a heavy node can't take is divided among the others.
func (a *assignment) setShares() {
	left, open := float64(len(a.groups)*a.replicas), slices.Clone(a.servers)
	for capped := true; capped && len(open) > 0; {
		capped = false
		weight := 0
		for _, s := range open {
			weight += s.node.Weight
		}
		perWeight := left / float64(weight)
		open = slices.DeleteFunc(open, func(s *server) bool {
			s.share = perWeight * float64(s.node.Weight)
			full := s.share > float64(len(a.groups))
			if full {
				s.share = float64(len(a.groups))
				left -= s.share
				capped = true
			}
			return full
		})
	}
}

// keep takes over the present holders of g that may still hold it.
func (a *assignment) keep(g slot.GroupID, ids []topology.NodeID) {
	for _, id := range ids {
		i := slices.IndexFunc(a.servers, func(s *server) bool { return s.node.ID == id })
		if i >= 0 && len(a.held[g]) < a.replicas && !a.holds(g, a.servers[i]) {
			a.add(g, a.servers[i])
		}
	}
}

func (a *assignment) add(g slot.GroupID, s *server) {
	a.held[g] = append(a.held[g], s)
	s.load++
}

func (a *assignment) holds(g slot.GroupID, s *server) bool { return slices.Contains(a.held[g], s) }

// bestFor chooses the next holder of g: a new zone first, then one below its share, then the best score. There is
// always one, because replicas is at most the number of servers.
func (a *assignment) bestFor(g slot.GroupID) *server {
	var best *server
	for _, s := range a.servers {
		if !a.holds(g, s) && (best == nil || a.better(g, s, best)) {
			best = s
		}
	}
	return best
}

func (a *assignment) better(g slot.GroupID, s, than *server) bool {
	if x, y := a.newZone(g, s, nil), a.newZone(g, than, nil); x != y {
		return x
	}
	if x, y := s.over() < 0, than.over() < 0; x != y {
		return x
	}
	return score(s.node, g) > score(than.node, g)
}

// newZone reports whether no holder of g, leaving out one, lies in s's zone.
func (a *assignment) newZone(g slot.GroupID, s, leaving *server) bool {
	for _, h := range a.held[g] {
		if h != leaving && h.node.Zone == s.node.Zone {
			return false
		}
	}
	return true
}

// level moves single replicas from fuller to emptier nodes until no move evens them out any more. Each move lowers the
// sum of the squares of over(), so it ends; the bound is a safety net for rounding.
func (a *assignment) level() {
	for range len(a.groups) * a.replicas {
		if !a.levelOne() {
			return
		}
	}
}

func (a *assignment) levelOne() bool {
	byOver := slices.Clone(a.servers)
	slices.SortStableFunc(byOver, func(x, y *server) int { return cmp.Compare(x.over(), y.over()) })
	for _, to := range byOver {
		for _, from := range slices.Backward(byOver) {
			// A difference of one would only swap the roles of the two.
			if from.over()-to.over() <= 1+1e-9 {
				break
			}
			if g, ok := a.movable(from, to); ok {
				a.move(g, from, to)
				return true
			}
		}
	}
	return false
}

// movable finds the group of from's that scores best on to and loses no zone by the move.
func (a *assignment) movable(from, to *server) (slot.GroupID, bool) {
	var best slot.GroupID
	for _, g := range a.groups {
		if !a.holds(g, from) || a.holds(g, to) {
			continue
		}
		if a.newZone(g, from, from) && !a.newZone(g, to, from) {
			continue
		}
		if best == 0 || score(to.node, g) > score(to.node, best) {
			best = g
		}
	}
	return best, best != 0
}

func (a *assignment) move(g slot.GroupID, from, to *server) {
	a.held[g][slices.Index(a.held[g], from)] = to
	from.load--
	to.load++
}

// score is the weighted rendezvous score of a node for a group: -weight / ln(h), h uniform in (0, 1)
// (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005).
func score(n *topology.Node, g slot.GroupID) float64 {
	h := xxhash.Sum64(binary.BigEndian.AppendUint32([]byte(n.ID), uint32(g)))
	uniform := (float64(h>>11) + 0.5) / (1 << 53)
	return -float64(n.Weight) / math.Log(uniform)
}
