package plan

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// preferred spreads the first places in held evenly over the nodes: it chooses for each group the member that is to
// lead it. It starts with the least busy member of each group and then passes leads along chains of groups
// (a leads g and b could; b leads h and c could; …) while that takes one from a node with two more than another.
func preferred(groups []slot.GroupID, held map[slot.GroupID][]topology.NodeID) map[slot.GroupID]topology.NodeID {
	leads := map[slot.GroupID]topology.NodeID{}
	count := map[topology.NodeID]int{}
	for _, g := range groups {
		for _, id := range held[g] {
			count[id] += 0
		}
	}
	for _, g := range groups {
		id := slices.MinFunc(held[g], func(a, b topology.NodeID) int { return cmp.Compare(count[a], count[b]) })
		leads[g] = id
		count[id]++
	}
	for passLead(groups, held, leads, count) {
	}
	return leads
}

// passLead makes one improvement, if there is one.
func passLead(groups []slot.GroupID, held map[slot.GroupID][]topology.NodeID, leads map[slot.GroupID]topology.NodeID, count map[topology.NodeID]int) bool {
	busiest := make([]topology.NodeID, 0, len(count))
	for id := range count {
		busiest = append(busiest, id)
	}
	slices.SortFunc(busiest, func(a, b topology.NodeID) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	for _, from := range busiest {
		if chain := chainFrom(from, groups, held, leads, count); chain != nil {
			for _, hop := range chain {
				count[leads[hop.group]]--
				leads[hop.group] = hop.to
				count[hop.to]++
			}
			return true
		}
	}
	return false
}

// hop passes the lead of group to node to.
type hop struct {
	group slot.GroupID
	to    topology.NodeID
}

// chainFrom searches, breadth first, the shortest chain of hops from a node to one with at least two leads fewer.
func chainFrom(from topology.NodeID, groups []slot.GroupID, held map[slot.GroupID][]topology.NodeID, leads map[slot.GroupID]topology.NodeID, count map[topology.NodeID]int) []hop {
	came := map[topology.NodeID]hop{from: {}}
	for queue := []topology.NodeID{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if count[at] <= count[from]-2 {
			return walkBack(at, from, came, leads)
		}
		for _, g := range groups {
			if leads[g] != at {
				continue
			}
			for _, id := range held[g] {
				if _, seen := came[id]; !seen {
					came[id] = hop{g, id}
					queue = append(queue, id)
				}
			}
		}
	}
	return nil
}

func walkBack(at, from topology.NodeID, came map[topology.NodeID]hop, leads map[slot.GroupID]topology.NodeID) []hop {
	var chain []hop
	for at != from {
		h := came[at]
		chain = append(chain, h)
		at = leads[h.group]
	}
	return chain
}
