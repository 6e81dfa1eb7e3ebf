package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

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
	return ln, nil
}

// readiness says why this node can't serve everything that a client may ask it for. A load balancer should send no new
// clients then.
func (n *Node) readiness() error {
	if n.stopping.Load() {
		return errors.New("the node is stopping")
	}
	select {
	case <-n.place.Ready():
	default:
		return errors.New(n.place.Waiting())
	}
	for _, g := range n.place.Map().Groups {
		if n.Leader(g.ID) == "" {
			return fmt.Errorf("group %d has no leader that this node knows of", g.ID)
		}
	}
	return nil
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
