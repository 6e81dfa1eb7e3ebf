package fsm

import (
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// aheadOps is how many ops are looked ahead to, and how many of their keys are. All that they touch, about four cache lines
// each, must still be in the first cache when they are executed.
const aheadOps = 32

// ahead is the applying goroutine's view of what comes next.
type ahead struct {
	// ops[next:] are still to come; those before fetched are in the processor's caches.
	ops           []*entry.Op
	next, fetched int
	shards        [aheadOps]*shard
	looks         [aheadOps]table.Look
	// used is how many of looks hold something.
	used int
	// sum keeps the compiler from leaving out reads whose results nobody needs.
	sum uint32
}

// Ahead says which ops Do will get until End, in order. It is a hint, which makes them faster: what they need of memory is
// fetched for many at once, so that the processor doesn't wait for each. ops must stay as they are until End.
func (m *Machine) Ahead(ops []*entry.Op) { m.ahead.ops, m.ahead.next, m.ahead.fetched = ops, 0, 0 }

// end forgets what was announced, so that nothing of the entry is kept alive.
func (a *ahead) end() {
	clear(a.looks[:a.used])
	a.ops, a.next, a.fetched, a.used = nil, 0, 0, 0
}

// step is called before each op.
func (a *ahead) step(st *state) {
	if a.next == a.fetched && a.next < len(a.ops) {
		a.fetched = min(a.next+aheadOps, len(a.ops))
		a.fetch(st, a.ops[a.next:a.fetched])
	}
	a.next++
}

// fetch needs no lock: nobody else changes tables.
func (a *ahead) fetch(st *state, ops []*entry.Op) {
	n := 0
	for _, op := range ops {
		n = a.add(st, op, n)
	}
	if a.used = max(a.used, n); n < 2 {
		return
	}
	for _, s := range a.shards[:n] {
		a.sum += uint32(s.own) + uint32(s.keys.Len()) + uint32(s.size.Load())
	}
	a.sum += table.Fetch(a.looks[:n])
}

// add notes the first key of an op, or of each op of a transaction, as number n, as long as there is room.
func (a *ahead) add(st *state, op *entry.Op, n int) int {
	if op.Cmd == command.Exec {
		for i := range op.Tx.Ops {
			n = a.add(st, &op.Tx.Ops[i], n)
		}
		return n
	}
	o := operationOf(op.Cmd)
	if !o.keyed || o.firstKey >= len(op.Args) || n == aheadOps {
		return n
	}
	key := op.Args[o.firstKey]
	s := st.slots[slot.Of(key)]
	if s == nil {
		return n
	}
	a.shards[n], a.looks[n] = s, s.keys.Look(st.seed, key)
	return n + 1
}
