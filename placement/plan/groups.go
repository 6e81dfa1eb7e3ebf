package plan

import (
	"slices"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// FirstGroups makes the groups of a new cluster, numbered from 1: slots divided evenly in order, replicas by Assign,
// preferred leaders spread evenly. seeds gives the hash seed of each group and thereby their number.
func FirstGroups(nodes []topology.Node, replicas int, seeds []uint64) []topology.Group {
	ids := make([]slot.GroupID, len(seeds))
	for i := range ids {
		ids[i] = slot.GroupID(i + 1)
	}
	held := Assign(nodes, ids, replicas, nil)
	leads := preferred(ids, held)
	groups := make([]topology.Group, 0, len(ids))
	for i, id := range ids {
		members := slices.Clone(held[id])
		first := slices.Index(members, leads[id])
		members[0], members[first] = members[first], members[0]
		groups = append(groups, topology.Group{
			ID:       id,
			HashSeed: seeds[i],
			Genesis:  share(i, len(ids)),
			Founders: slices.Sorted(slices.Values(members)),
			Members:  members,
		})
	}
	return groups
}

// share is the i-th of n parts of the slots; parts differ by one slot at most.
func share(i, n int) []slot.Range {
	return []slot.Range{{First: uint16(i * slot.Count / n), Last: uint16((i+1)*slot.Count/n - 1)}}
}
