package peer

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/quorate/quorate/placement/topology"
)

// dialNode connects to a node by the address book.
func (n *Node) dialNode(id topology.NodeID, failures int) (*conn, error) {
	raw, who, err := n.dialBook(n.ctx, id, failures, modeCalls)
	if err != nil {
		return nil, err
	}
	n.o.Logger.Info("peer: connected", "node", who.id, "addr", raw.RemoteAddr())
	return n.newConn(raw, who.id), nil
}

func (n *Node) dialBook(ctx context.Context, id topology.NodeID, failures int, mode byte) (net.Conn, identity, error) {
	addr := n.book.addr(id, failures)
	if addr == "" {
		return nil, identity{}, fmt.Errorf("no address of node %s is known", id)
	}
	raw, who, err := n.dial(ctx, addr, mode, id)
	if err == nil {
		n.book.reached(id, addr)
	}
	return raw, who, err
}

// dial connects to addr and shakes hands; want is the node that must answer, "" for any.
func (n *Node) dial(ctx context.Context, addr string, mode byte, want topology.NodeID) (net.Conn, identity, error) {
	n.stats.dials.Add(1)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	raw, err := n.o.Dial(ctx, addr)
	if err != nil {
		n.stats.dialErrors.Add(1)
		return nil, identity{}, err
	}
	if !n.track(raw) {
		return nil, identity{}, ErrClosed
	}
	stop := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	who, err := n.greet(raw, mode, want)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		n.stats.dialErrors.Add(1)
		n.drop(raw)
		return nil, identity{}, fmt.Errorf("handshake with %s: %w", addr, err)
	}
	n.learn(who)
	return raw, who, nil
}

// learn enters what a handshake said about a node's address into the book.
func (n *Node) learn(who identity) {
	if who.id != n.o.Self && n.book.set(who.id, who.advertise, true) {
		n.link(who.id).wake()
	}
}
