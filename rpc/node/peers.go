package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// groupPeers asks other nodes' replicas on behalf of a local one; it implements shardgroup.Peers.
type groupPeers struct{ n *Node }

// ReadIndex implements shardgroup.Peers.
func (p groupPeers) ReadIndex(ctx context.Context, node string, group slot.GroupID, fresh bool) (uint64, error) {
	reply, err := p.n.peers.Call(ctx, topology.NodeID(node), kindReadIndex, group, []byte{asByte(fresh)})
	if err != nil {
		return 0, err
	}
	if len(reply) != 8 {
		return 0, fmt.Errorf("read index from node %s: %d bytes, want 8", node, len(reply))
	}
	return binary.BigEndian.Uint64(reply), nil
}

// VotesHeld implements shardgroup.Peers.
func (p groupPeers) VotesHeld(ctx context.Context, node string, group slot.GroupID) (bool, error) {
	reply, err := p.n.peers.Call(ctx, topology.NodeID(node), kindVotesHeld, group, nil)
	if err != nil {
		return false, err
	}
	if len(reply) != 1 {
		return false, fmt.Errorf("votes held from node %s: %d bytes, want 1", node, len(reply))
	}
	return reply[0] == 1, nil
}

func asByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

var errNoReplica = errors.New("this node holds no replica of the group")

func (n *Node) answerReadIndex(ctx context.Context, _ topology.NodeID, group slot.GroupID, payload []byte) ([]byte, error) {
	r := n.replicas.get(group)
	if r == nil {
		return nil, errNoReplica
	}
	if len(payload) != 1 {
		return nil, fmt.Errorf("read index: %d bytes of request, want 1", len(payload))
	}
	index, err := r.group.ReadIndex(ctx, payload[0] == 1)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(nil, index), nil
}

func (n *Node) answerVotesHeld(_ context.Context, _ topology.NodeID, group slot.GroupID, _ []byte) ([]byte, error) {
	r := n.replicas.get(group)
	if r == nil {
		return nil, errNoReplica
	}
	return []byte{asByte(r.group.VotesHeld())}, nil
}
