package peer

import (
	"context"
	"errors"
	"io"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Node is this process on the peer network: its listener, its connections and its address book.
type Node struct {
	o Options
}

var errSoon = errors.New("peer: under construction")

// Listen binds addr (host:port; port 0 takes a free one). Connections are accepted once Serve is called.
func Listen(addr string, o Options) (*Node, error) { return nil, errSoon }

// Handle registers the handler of a kind of call. It panics after Serve and for a kind that has a handler.
func (n *Node) Handle(kind Kind, h Handler) {}

// HandleStream registers the handler of a kind of stream, like Handle.
func (n *Node) HandleStream(kind Kind, h StreamHandler) {}

// Serve starts to accept connections and returns. The handlers are fixed from here on.
func (n *Node) Serve() {}

// Self returns this node's ID.
func (n *Node) Self() topology.NodeID { return n.o.Self }

// Addr returns the host:port that other nodes are told.
func (n *Node) Addr() string { return n.o.Advertise }

// SetCluster sets the cluster's ID once the node belongs to one.
func (n *Node) SetCluster(id string) {}

// SetAddr enters a node's address as the map knows it.
func (n *Node) SetAddr(id topology.NodeID, addr string) {}

// AddrOf returns the address at which a node was last reached, or else the one it was last said to have.
func (n *Node) AddrOf(id topology.NodeID) (string, bool) { return "", false }

// Call asks node to and waits for its answer. The error wraps ErrNotSent if the handler certainly did not run,
// ErrNoAnswer if that is unknown, and is a *RemoteError if it ran and failed. payload may be reused after the return.
func (n *Node) Call(ctx context.Context, to topology.NodeID, kind Kind, group slot.GroupID, payload []byte) ([]byte, error) {
	return nil, errSoon
}

// CallAddr asks whoever answers at addr and says who that was. It is for joining, when only an address is known.
func (n *Node) CallAddr(ctx context.Context, addr string, kind Kind, group slot.GroupID, payload []byte) (topology.NodeID, []byte, error) {
	return "", nil, errSoon
}

// Stream sends exactly size bytes of body over a connection of its own and returns the handler's answer.
// The network's back-pressure holds body back. Without a deadline in ctx it fails when nothing moves for CallTimeout.
func (n *Node) Stream(ctx context.Context, to topology.NodeID, kind Kind, group slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error) {
	return nil, errSoon
}

// Close stops accepting, drops every connection and waits until all handlers have returned.
func (n *Node) Close() error { return nil }
