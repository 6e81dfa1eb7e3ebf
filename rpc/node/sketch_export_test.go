package node

import (
	"context"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// SendSketch sends a sketch to another node as this one would.
func (n *Node) SendSketch(ctx context.Context, to topology.NodeID, g slot.GroupID, sketch []byte) error {
	_, err := n.peers.Call(ctx, to, kindSketch, g, sketch)
	return err
}

// Sketches counts the sketches that a replica here has sent and received.
func (n *Node) Sketches(g slot.GroupID) (sent, received uint64) {
	c := &n.replicas.get(g).sketches
	return c.sent.Load(), c.received.Load()
}

// Machine is the state of a replica here.
func (n *Node) Machine(g slot.GroupID) *fsm.Machine { return n.replicas.get(g).group.Machine() }

// EvictsByUse is evictsByUse.
var EvictsByUse = evictsByUse
