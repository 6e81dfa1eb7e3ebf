package node

import (
	"fmt"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/placement/topology"
)

// applyLimits gives every local group its share of maxmemory. The leader logs it, so all replicas agree on it.
func (n *Node) applyLimits(m *topology.Map) {
	limits, err := groupLimits(m)
	if err != nil {
		n.fatal(err) // placement has checked the settings
		return
	}
	for _, r := range n.replicas.all() {
		r.group.SetLimit(limits)
	}
}

// groupLimits divides the memory of a node by the most replicas that any node holds: all replicas of a group must have the
// same limit, and no node may hold more than maxmemory.
func groupLimits(m *topology.Map) (entry.Limits, error) {
	s := m.Settings
	policy, err := entry.ParsePolicy(s.MaxMemoryPolicy)
	if err != nil {
		return entry.Limits{}, fmt.Errorf("settings of epoch %d: %w", m.Epoch, err)
	}
	most := 1
	for _, node := range m.Nodes {
		most = max(most, len(m.GroupsOn(node.ID)))
	}
	limit := uint64(s.MaxMemory) / uint64(most)
	if s.MaxMemory > 0 {
		limit = max(limit, 1) // 0 would be no limit
	}
	return entry.Limits{MaxMemory: limit, Policy: policy, Samples: uint32(s.MaxMemorySamples)}, nil
}
