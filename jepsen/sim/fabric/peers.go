package fabric

import (
	"context"
	"fmt"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// Peers is a node's end of the network between nodes; it is a node.Peers.
type Peers struct {
	*memnet.Node
	net *Net
}

// Join puts node id on the network, on machine h, where others find it at addr. A node of that id that was there before must
// have left.
func (n *Net) Join(id topology.NodeID, h Host, addr string) *Peers {
	p := &Peers{n.calls.Node(id), n}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[id], n.peers[addr], n.joined[h] = h, id, p
	return p
}

// CallAddr implements service.Peers.
func (p *Peers) CallAddr(ctx context.Context, addr string, kind uint8, group slot.GroupID, payload []byte) (topology.NodeID, []byte, error) {
	p.net.mu.Lock()
	id, known := p.net.peers[addr]
	p.net.mu.Unlock()
	if !known {
		return "", nil, fmt.Errorf("call %s: %w: connection refused", addr, peer.ErrNotSent)
	}
	reply, err := p.Call(ctx, id, kind, group, payload)
	return id, reply, err
}

// SetAddr implements service.Peers; nodes never change their addresses here.
func (p *Peers) SetAddr(topology.NodeID, string) {}

// SetCluster implements service.Peers.
func (p *Peers) SetCluster(string) {}

// Serve implements node.Peers.
func (p *Peers) Serve() {}

// Close leaves the network and waits for what was being served.
func (p *Peers) Close() error {
	p.Node.Close()
	return nil
}
