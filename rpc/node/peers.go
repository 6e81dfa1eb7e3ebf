package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup"
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

// Standing implements shardgroup.Peers.
func (p groupPeers) Standing(ctx context.Context, node string, group slot.GroupID) (s shardgroup.Standing, err error) {
	reply, err := p.n.peers.Call(ctx, topology.NodeID(node), kindStanding, group, nil)
	if err != nil {
		return s, err
	}
	if s, err = decodeStanding(reply); err != nil {
		err = fmt.Errorf("standing of node %s: %w", node, err)
	}
	return s, err
}

// standingHead is the fixed part of an encoded Standing: Held, Known, Term, Index, Configured. Behind it comes each voter's name with its
// length in a byte before it. A node of an earlier version sends Held only.
const standingHead = 2 + 3*8

func encodeStanding(s shardgroup.Standing) []byte {
	b := []byte{asByte(s.Held), asByte(s.Known)}
	for _, n := range []uint64{s.Term, s.Index, s.Configured} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, v := range s.Voters {
		b = append(append(b, byte(len(v))), v...)
	}
	return b
}

func decodeStanding(b []byte) (s shardgroup.Standing, err error) {
	if len(b) == 1 {
		return shardgroup.Standing{Held: b[0] == 1}, nil
	}
	if len(b) < standingHead {
		return s, fmt.Errorf("%d bytes, want %d or more", len(b), standingHead)
	}
	s.Held, s.Known = b[0] == 1, b[1] == 1
	for i, n := range []*uint64{&s.Term, &s.Index, &s.Configured} {
		*n = binary.BigEndian.Uint64(b[2+8*i:])
	}
	for b = b[standingHead:]; len(b) > 0; {
		n := int(b[0])
		if len(b) <= n {
			return s, errors.New("a voter's name is cut short")
		}
		s.Voters, b = append(s.Voters, string(b[1:1+n])), b[1+n:]
	}
	return s, nil
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

func (n *Node) answerStanding(_ context.Context, _ topology.NodeID, group slot.GroupID, _ []byte) ([]byte, error) {
	r := n.replicas.get(group)
	if r == nil {
		return nil, errNoReplica
	}
	return encodeStanding(r.group.Standing()), nil
}
