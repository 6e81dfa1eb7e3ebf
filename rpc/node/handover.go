package node

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// handOver gives away the leadership of every group that this node leads, all at once, so that a stop costs clients a
// redirect and no election. What cannot be handed over in time is left to an election.
func (n *Node) handOver(ctx context.Context) {
	var wg sync.WaitGroup
	for _, r := range n.replicas.all() {
		if r.group.Leader().Leader == string(n.self.ID) {
			wg.Go(func() {
				if err := n.handOverGroup(ctx, r); err != nil {
					n.log.Warn("could not hand over leadership; the others will elect a leader", "group", r.id, "error", err)
				}
			})
		}
	}
	wg.Wait()
}

// handOverGroup tries the group's other members, those that are known to be alive and closest to the leader's log
// first.
func (n *Node) handOverGroup(ctx context.Context, r *replica) error {
	err := errors.New("there is no other voter")
	for _, p := range r.candidates() {
		if err = r.group.Transfer(ctx, p); err == nil || ctx.Err() != nil || r.group.Leader().Leader != string(n.self.ID) {
			return err
		}
	}
	return err
}

// candidates lists the other voters that have answered lately, the furthest along first.
func (r *replica) candidates() []string {
	peers := r.group.Replica().Stats().Peers
	slices.SortStableFunc(peers, func(a, b consensus.PeerStats) int { return cmp.Compare(b.Matched, a.Matched) })
	var out []string
	for _, p := range peers {
		if p.Voter && p.Contact >= 0 {
			out = append(out, p.ID)
		}
	}
	return out
}

// transfer hands group, which this node leads, to node to.
func (n *Node) transfer(ctx context.Context, group slot.GroupID, to topology.NodeID) error {
	r := n.replicas.get(group)
	if r == nil {
		return errNoReplica
	}
	return r.group.Transfer(ctx, string(to))
}
