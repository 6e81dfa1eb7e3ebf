package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/plan"
	"github.com/quorate/quorate/placement/service"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/wal"
)

// placementVoters is how many nodes vote in placement's Raft group if the cluster is large enough.
const placementVoters = 3

// openPlacement starts placement's service on this node and registers its handlers.
func (n *Node) openPlacement() (err error) {
	if n.place, err = service.Open(n.placementConfig()); err != nil {
		return err
	}
	for kind, h := range n.place.Handlers() {
		n.peers.Handle(kind, h)
	}
	return nil
}

func (n *Node) placementConfig() service.Config {
	return service.Config{
		Dir:      filepath.Join(n.cfg.DataDir, "placement"),
		Self:     n.self,
		Join:     n.cfg.Join,
		Expect:   n.cfg.BootstrapExpect,
		Shape:    n.shape(),
		Peers:    n.peers,
		NotSent:  func(err error) bool { return errors.Is(err, peer.ErrNotSent) },
		Open:     n.openPlacementReplica,
		Status:   n.placementStatus,
		Transfer: n.transfer, Reconfigure: n.reconfigure,
		Log:   n.log,
		Fatal: n.fatal,
		Files: n.host.Files,
	}
}

// shape is what this node would found a cluster with.
func (n *Node) shape() service.Shape {
	return service.Shape{
		Groups: n.cfg.Groups, Replicas: n.cfg.Replicas, Voters: placementVoters,
		Settings: topology.Settings{
			MaxMemory: int64(n.cfg.MaxMemory), MaxMemoryPolicy: n.cfg.MaxMemoryPolicy,
			MaxMemorySamples: n.cfg.MaxMemorySamples, SpreadLeaders: n.cfg.SpreadLeaders,
		},
	}
}

// placementReplica closes its transport with itself.
type placementReplica struct {
	*consensus.Replica
	transport *raftnet.Transport
}

func (p placementReplica) Close() error { return errors.Join(p.Replica.Close(), p.transport.Close()) }

// openPlacementReplica implements service.OpenReplica: placement's log is group 0.
func (n *Node) openPlacementReplica(fsm raft.FSM, first *raft.Configuration) (service.Replica, error) {
	cc, transport, _, err := n.consensusConfig(placementGroup, first)
	if err != nil {
		return nil, err
	}
	cc.Self, cc.FSM, cc.Logger, cc.Fatal = string(n.self.ID), fsm, n.log, n.fatal
	if n.host.Replica != nil {
		n.host.Replica(&cc)
	}
	r, err := consensus.Open(cc)
	if err != nil {
		return nil, errors.Join(err, transport.Close())
	}
	return placementReplica{r, transport}, nil
}

// consensusConfig is what all Raft replicas on this node have in common; group 0 is placement's. first is the group's first
// configuration if this node is a founder, else nil. hadState says that the replica has run before.
func (n *Node) consensusConfig(g slot.GroupID, first *raft.Configuration) (_ consensus.Config, _ *raftnet.Transport, hadState bool, _ error) {
	s, err := n.stores.group(g)
	if err == nil && s.lost && first != nil {
		err = errLost
	}
	if err != nil {
		return consensus.Config{}, nil, false, err
	}
	transport, err := n.mux.Open(g, n.transportOptions(s))
	if err != nil {
		return consensus.Config{}, nil, false, err
	}
	reads := consensus.Lease
	if n.cfg.Reads == "quorum" {
		reads = consensus.Quorum
	}
	return consensus.Config{
		Group: g, Bootstrap: first, Transport: transport, Logs: s.logs, Stable: s.stable, Snapshots: s.snapshots,
		Timing:        consensus.Timing{Heartbeat: n.cfg.ElectionTimeout, Election: n.cfg.ElectionTimeout, Lease: n.cfg.Lease},
		Reads:         reads,
		Pulse:         n.pulse,
		SnapshotBytes: int64(n.cfg.SnapshotLog),
		TrailingLogs:  uint64(n.cfg.TrailingLogs),
		Ahead:         n.cfg.Durability == wal.Always.String(),
		LostTail:      s.lostTail,
	}, transport, s.hadState, nil
}

func (n *Node) transportOptions(s groupStores) raftnet.Options {
	return raftnet.Options{Lease: n.cfg.Lease, HadState: s.hadState, Hold: n.stores.hold, HoldVotes: s.lostTail, Logger: n.log}
}

// outliveLeases waits until what earlier runs with a longer lease have promised is over, so that the next start need not hold for it.
func (n *Node) outliveLeases(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(n.stores.hold):
		if err := n.stores.stable.PromisesOver(); err != nil {
			n.fatal(err)
		}
	}
}

// placementStatus tells placement's driver about this node's replicas. A node that stops shows none, so that the
// driver does not hand leadership back to it.
func (n *Node) placementStatus() []service.GroupStatus {
	if n.stopping.Load() {
		return nil
	}
	var out []service.GroupStatus
	for id, r := range n.replicas.all() {
		out = append(out, n.groupStatus(id, r))
	}
	return out
}

func (n *Node) groupStatus(id slot.GroupID, r *replica) service.GroupStatus {
	s := r.group.Replica().Stats()
	out := service.GroupStatus{
		Group: id, Life: r.life, Leading: s.Leader == string(n.self.ID), Term: s.Term, Applied: s.Applied, Last: s.Last, Committed: s.Committed,
	}
	if !out.Leading {
		return out
	}
	matched := map[raft.ServerID]uint64{raft.ServerID(n.self.ID): s.Last}
	for _, p := range s.Peers {
		matched[raft.ServerID(p.ID)] = p.Matched
	}
	members, config := r.group.Replica().Members()
	out.Config = config
	for _, m := range members.Servers {
		out.Servers = append(out.Servers, service.Server{Node: topology.NodeID(m.ID), Voter: m.Suffrage == raft.Voter, Matched: matched[m.ID]})
	}
	return out
}

// reconfigure changes the Raft configuration of a group that this node leads.
func (n *Node) reconfigure(_ context.Context, group slot.GroupID, action plan.Action, node topology.NodeID, config uint64) error {
	r := n.replicas.get(group)
	if r == nil {
		return errNoReplica
	}
	switch action {
	case plan.AddLearner:
		return r.group.Replica().AddNonvoter(string(node), config)
	case plan.AddVoter:
		return r.group.Replica().AddVoter(string(node), config)
	case plan.Remove:
		return r.group.Replica().Remove(string(node), config)
	}
	return fmt.Errorf("unknown action %.40q; is the other node newer?", action)
}
