package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/ops"
)

// listenHTTP binds the operator's port; nil if it is off.
func (n *Node) listenHTTP() (net.Listener, error) {
	if n.cfg.HTTPListen == config.Off {
		return nil, nil
	}
	ln, err := listen("http-listen", n.cfg.HTTPListen)
	if err != nil {
		return nil, err
	}
	n.http = ops.New(collector{n}, n.readiness, n.cfg.Profiles)
	return ops.Limit(ln), nil
}

// readiness says why this node can't serve everything that a client may ask it for, or would be missed if another one
// stopped. A load balancer should send no new clients then, and a rolling restart should not take the next node.
func (n *Node) readiness() error {
	if n.stopping.Load() {
		return errors.New("the node is stopping")
	}
	select {
	case <-n.place.Ready():
	default:
		return errors.New(n.place.Waiting())
	}
	m := n.place.Map()
	if g, missing := n.leaderless(m); missing {
		return fmt.Errorf("group %d has no leader that this node knows of", g)
	}
	if g, behind := n.behind(m); behind {
		return fmt.Errorf("the replica of group %d has not caught up with its leader", g)
	}
	return nil
}

// behind finds a group that this node should hold and whose replica is not open, or has not caught up.
func (n *Node) behind(m *topology.Map) (slot.GroupID, bool) {
	for _, g := range m.GroupsOn(n.self.ID) {
		if r := n.replicas.get(g); r == nil || !r.caughtUp.Load() {
			return g, true
		}
	}
	return 0, false
}

// leaderless finds a group without a known leader.
func (n *Node) leaderless(m *topology.Map) (slot.GroupID, bool) {
	for _, g := range m.Groups {
		if n.Leader(g.ID) == "" {
			return g.ID, true
		}
	}
	return 0, false
}

// awaitLeaders waits, on a node that comes back to its cluster, until it can tell clients who leads what: a client that read
// its map before would miss the slots of groups that this node has not heard of. A group that is down does not keep the
// node from serving the others.
func (n *Node) awaitLeaders(ctx context.Context) {
	m := n.place.Map()
	ctx, cancel := context.WithTimeout(ctx, slotsDownAfter)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, missing := n.leaderless(m); missing; _, missing = n.leaderless(m) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// AwaitReady waits until the node is ready; its error says what was missing.
func (n *Node) AwaitReady(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := n.readiness()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", n.self.Name, err)
		case <-tick.C:
		}
	}
}
