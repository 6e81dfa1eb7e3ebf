package node

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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

// settled reports whether every group that this node leads has logged the limits of its map.
func (n *Node) settled(m *topology.Map) bool {
	limits, err := groupLimits(m)
	for _, r := range n.replicas.all() {
		if r.group.Leader().Ready && r.group.Machine().Limits() != limits {
			return false
		}
	}
	return err == nil
}

// settleTimeout bounds how long a changed setting is waited for: a node that is down learns of it when it comes back.
const settleTimeout = 2 * time.Second

// awaitSettings waits until a setting of that epoch holds on every node that answers, as a client of CONFIG SET expects.
func (n *Node) awaitSettings(ctx context.Context, epoch uint64) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for _, other := range n.place.Map().Nodes {
		for ctx.Err() == nil {
			var r nodeReport
			data, err := n.call(ctx, other.ID, kindStatus, 0, nil)
			if err == nil {
				err = json.Unmarshal(data, &r)
			}
			if err != nil || r.Settled && r.Status.Epoch >= epoch {
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}
