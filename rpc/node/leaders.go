package node

import (
	"context"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/leaders"
	"github.com/quorate/quorate/placement/topology"
)

const (
	// leaderExchange is how often a node tells the others who leads what, to make good for a lost announcement.
	leaderExchange = time.Second
	// leaderCall bounds one exchange: a node that does not answer must not hold up the others.
	leaderCall = 500 * time.Millisecond
)

// announce tells every other node the whole table and learns theirs.
func (n *Node) announce(ctx context.Context) {
	claims, err := n.leaders.Encoded()
	if err != nil {
		n.fatal(err)
		return
	}
	for _, other := range n.place.Map().Nodes {
		if other.ID != n.self.ID {
			n.background.Go(func() { n.exchange(ctx, other.ID, claims) })
		}
	}
}

func (n *Node) exchange(ctx context.Context, with topology.NodeID, claims []byte) {
	ctx, cancel := context.WithTimeout(ctx, leaderCall)
	defer cancel()
	reply, err := n.peers.Call(ctx, with, kindLeaders, 0, claims)
	if err != nil {
		return // it is down or does not know us yet; the next exchange tries again
	}
	n.learnLeaders(reply)
}

// answerLeaders is the handler of kindLeaders.
func (n *Node) answerLeaders(_ context.Context, _ topology.NodeID, _ slot.GroupID, payload []byte) ([]byte, error) {
	n.learnLeaders(payload)
	return n.leaders.Encoded()
}

// learnLeaders takes another node's table in.
func (n *Node) learnLeaders(data []byte) {
	if n.leaders.Says(data) {
		return
	}
	claims, err := leaders.Decode(data)
	if err != nil {
		n.log.Warn("ignored another node's leader table", "error", err)
		return
	}
	n.mergeLeaders(claims)
}

// mergeLeaders takes claims in and tells the front end if any is news.
func (n *Node) mergeLeaders(claims []leaders.Claim) {
	news, err := n.leaders.Merge(claims)
	if err != nil {
		n.log.Error("two nodes claim one term", "error", err)
	}
	if len(news) > 0 {
		n.front.TopologyChanged()
	}
}

// runLeaderExchange announces now and then, until ctx ends.
func (n *Node) runLeaderExchange(ctx context.Context) {
	tick := time.NewTicker(leaderExchange)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.announce(ctx)
		}
	}
}
