package node

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Reads touch keys on the leader only. Where keys are evicted by use, the leader therefore sends its followers a sketch of
// what was used, now and then, so that after a failover the next leader does not evict what clients read all the time.
// It advises and decides nothing: one that is lost is not sent again.
const (
	// sketchPace is how often a leader sends a sketch: what was used only since the last one is lost with the leader.
	sketchPace = 2 * time.Second
	// sketchCall bounds one call: a follower that does not answer must not hold up the next sketch.
	sketchCall = 500 * time.Millisecond
	// maxSketch bounds what a follower takes; fsm makes no larger ones.
	maxSketch = 64 << 10
	// sketchFrom is the percentage of the limit below which nothing will be evicted soon and nothing is sent.
	sketchFrom = 80
)

// sketchCounts count per replica and since the process started. Sent counts one for each follower.
type sketchCounts struct{ sent, received atomic.Uint64 }

// runSketches sends sketches until ctx ends.
func (n *Node) runSketches(ctx context.Context) {
	tick := time.NewTicker(sketchPace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, r := range n.replicas.all() {
				n.sendSketch(ctx, r)
			}
		}
	}
}

// sendSketch sends what was used to the group's other members, if this node leads the group and evictions by use are near.
func (n *Node) sendSketch(ctx context.Context, r *replica) {
	m := r.group.Machine()
	group := n.place.Map().GroupByID(r.id)
	if group == nil || !r.group.Leader().Ready || !evictsByUse(m.Limits(), m.Memory()) {
		return
	}
	sketch := m.Sketch()
	if sketch == nil {
		return
	}
	for _, to := range group.Members {
		if to != n.self.ID {
			n.background.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, sketchCall)
				defer cancel()
				if _, err := n.peers.Call(ctx, to, kindSketch, r.id, sketch); err == nil {
					r.sketches.sent.Add(1)
				}
			})
		}
	}
}

// evictsByUse reports whether the policy looks at uses and memory is near the limit.
func evictsByUse(l entry.Limits, used int64) bool {
	switch l.Policy {
	case entry.AllKeysLRU, entry.AllKeysLFU, entry.VolatileLRU, entry.VolatileLFU:
		return l.MaxMemory > 0 && uint64(used) >= l.MaxMemory/100*sketchFrom
	}
	return false
}

// answerSketch is the handler of kindSketch. Only the leader's is taken, and not if the replica does not know yet that it
// leads: the next one comes soon.
func (n *Node) answerSketch(_ context.Context, from topology.NodeID, g slot.GroupID, payload []byte) ([]byte, error) {
	r := n.replicas.get(g)
	if r == nil {
		return nil, errNoReplica
	}
	if len(payload) > maxSketch {
		return nil, fmt.Errorf("sketch of %d bytes: at most %d are allowed", len(payload), maxSketch)
	}
	if leader := r.group.Leader().Leader; leader != string(from) {
		return nil, fmt.Errorf("sketch from node %s: group %d is led by %q", from, g, leader)
	}
	if err := r.group.Machine().MergeSketch(payload); err != nil {
		return nil, err
	}
	r.sketches.received.Add(1)
	return nil, nil
}
