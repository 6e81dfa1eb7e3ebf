package sim

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/quorate/quorate/client"
)

// memory is each node's limit, in bytes; 0 is none.
func (p Plan) memory() int64 {
	if p.Workload == "eviction" {
		return evictionMemory
	}
	return 0
}

// largest bounds the large values, which all logs keep, and the oracle. A big one fills a log's file; of those that are read
// slowly, several fill a connection.
func (p Plan) largest() int {
	if p.Workload == "slow-reader" {
		return 8 << 10
	}
	return segmentBytes
}

// memory lowers the nodes' limit: keys are evicted in a storm, or, where none may be, writes refused.
func (n *nemesis) memory() wound {
	limit := int64(1)
	if usual := n.c.plan.memory(); usual > 0 {
		limit = usual / int64(2+n.rng.IntN(30))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	n.open.Go(func() {
		defer close(done)
		for i := 0; n.c.limit() != limit && ctx.Err() == nil; i++ {
			n.c.setMemory(ctx, n.c.nodes[i%len(n.c.nodes)], limit)
			await(done, pollPause)
		}
	})
	return wound{
		what: fmt.Sprintf("maxmemory is %d bytes", limit), lasts: n.between(time.Second, 20*time.Second),
		bit: func() bool { return n.c.limit() == limit },
		undo: func() {
			cancel()
			<-done
			began := time.Now()
			for i := 0; n.c.limit() != n.c.plan.memory() && time.Since(began) < returning; i++ {
				n.c.setMemory(context.Background(), n.c.nodes[i%len(n.c.nodes)], n.c.plan.memory())
			}
		},
	}
}

// limit is the one of the newest map, -1 before there is any.
func (c *cluster) limit() int64 {
	if m := c.known(); m != nil {
		return m.Settings.MaxMemory
	}
	return -1
}

// setMemory has a node set the limit. Whether it did shows in the map.
func (c *cluster) setMemory(ctx context.Context, s *server, limit int64) {
	_ = c.order(ctx, s, func(a *client.Admin) error { return a.Set(ctx, "maxmemory", strconv.FormatInt(limit, 10)) })
}

// roomy gives the nodes their limit back, and says why they have it not yet; "" if they have.
func (c *cluster) roomy() string {
	if c.limit() == c.plan.memory() {
		return ""
	}
	for _, s := range c.nodes {
		c.setMemory(context.Background(), s, c.plan.memory())
	}
	return fmt.Sprintf("maxmemory is still %d", c.limit())
}
