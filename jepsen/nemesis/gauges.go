package nemesis

import (
	"context"

	"github.com/quorate/quorate/jepsen/process"
)

// gauges follow the nodes' memory.
type gauges struct {
	Memory
	e       *env
	evicted float64
	// seen are each node's evictions so far, which begin anew with the process; began is what it held in memory at first; below says
	// that it has been under the limit: until the first writes after a limit was set, it may be over it, as over has it.
	seen, began map[*process.Node]float64
	below       map[*process.Node]bool
	over        map[*process.Node]int64
}

// peak is what was held at most; who never got below the limit counts, too.
func (g *gauges) peak() *Memory {
	m := g.Memory
	for n, used := range g.over {
		if !g.below[n] {
			m.Used = max(m.Used, used)
		}
	}
	return &m
}

func newGauges(ctx context.Context, e *env, limit int64) *gauges {
	g := &gauges{e: e, Memory: Memory{Limit: limit}, seen: map[*process.Node]float64{}, began: map[*process.Node]float64{}, below: map[*process.Node]bool{}, over: map[*process.Node]int64{}}
	for _, n := range e.cluster.Nodes() {
		if m, err := n.Metrics(ctx); err == nil {
			g.seen[n], g.began[n] = m[evictedKeys], m[resident]
		}
	}
	return g
}

const (
	evictedKeys = "quorate_group_evicted_keys_total"
	logical     = "quorate_group_memory_bytes"
	resident    = "process_resident_memory_bytes"
)

func (g *gauges) read(ctx context.Context) {
	for _, n := range g.e.cluster.Nodes() {
		m, err := n.Metrics(ctx)
		if err != nil {
			delete(g.over, n) // it had no time to get below
			continue
		}
		if m[evictedKeys] >= g.seen[n] {
			g.evicted += m[evictedKeys] - g.seen[n]
		} else {
			g.evicted += m[evictedKeys]
		}
		g.seen[n] = m[evictedKeys]
		used := int64(m[logical])
		g.below[n] = g.below[n] || used <= g.Limit
		if g.below[n] {
			g.Used = max(g.Used, used)
		} else {
			g.over[n] = used
		}
		g.Grown = max(g.Grown, int64(m[resident]-g.began[n]))
	}
}
