package shardgroup

import (
	"fmt"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
)

// entryHeader is the most that an entry takes beside evictions and its calls' ops: its header, and a new limit.
const entryHeader = 64

// part is a run of a call's ops in one entry.
type part struct {
	call     *Call
	from, to int
}

// batch is one entry, from its calls to its fate.
type batch struct {
	id   uint64
	now  int64
	data []byte
	// prefix is what the leader itself has to say ahead of the calls: a new limit or evictions.
	prefix []entry.Op
	parts  []part
	// whole counts the parts that end their calls. Only the last part can be a call's beginning or middle.
	whole int
	// behind counts the calls that waited for the next entry when this one had been applied, before its own calls were done.
	behind int
	// size is what the entry takes at most.
	size int
	// advance is done when the entry is applied; may be nil.
	advance *advance
}

// gather chooses what goes into the next entry: at most so many ops.
func (b *batch) gather(waiting []*Call, limit, most int) {
	b.parts, b.whole, b.size = b.parts[:0], 0, entryHeader
	for _, c := range waiting {
		p := part{call: c, from: c.placed, to: c.placed}
		for ; p.to < len(c.Ops); p.to++ {
			n := c.Ops[p.to].Size()
			if most == 0 || b.size+n > limit && b.size > entryHeader {
				break
			}
			b.size += n
			most--
		}
		if p.to < len(c.Ops) {
			if p.to > p.from {
				b.parts = append(b.parts, p)
			}
			return
		}
		b.parts = append(b.parts, p)
		b.whole++
	}
}

// growth bounds how much memory the batch's writes take.
func (b *batch) growth(m *fsm.Machine, limit int64) int64 {
	total := int64(0)
	for _, p := range b.parts {
		for i := p.from; i < p.to; i++ {
			total += p.call.growth(i, m, limit)
		}
	}
	return total
}

// fitting counts the ops, from the first on, whose writes together take no more than room.
func (b *batch) fitting(m *fsm.Machine, limit, room int64) (n int) {
	for _, p := range b.parts {
		for i := p.from; i < p.to; i++ {
			if room -= p.call.growth(i, m, limit); room < 0 {
				return n
			}
			n++
		}
	}
	return n
}

// growth bounds how much memory the i-th op takes; 0 if that is more than there is altogether: it will be refused, and must
// not cost all other keys first.
func (c *Call) growth(i int, m *fsm.Machine, limit int64) int64 {
	if c.rides(i) {
		return 0
	}
	n := m.Growth(&c.Ops[i])
	if n > limit {
		return 0
	}
	return n
}

// encode writes the entry. If an op cannot be logged, it returns its call and why.
func (b *batch) encode() (*Call, error) {
	enc := entry.Encoder{Buf: make([]byte, 0, b.size)}
	enc.Reset(b.now, b.id)
	for i := range b.prefix {
		if err := enc.AppendOp(&b.prefix[i]); err != nil {
			return nil, fmt.Errorf("encode the leader's own op: %w", err)
		}
	}
	for _, p := range b.parts {
		for i := p.from; i < p.to; i++ {
			if p.call.rides(i) {
				continue
			}
			if err := enc.AppendOp(&p.call.Ops[i]); err != nil {
				return p.call, err
			}
		}
	}
	b.data = enc.Finish()
	return nil, nil
}

// calls returns the calls that end with this entry.
func (b *batch) calls() []*Call {
	out := make([]*Call, 0, b.whole)
	for _, p := range b.parts[:b.whole] {
		out = append(out, p.call)
	}
	return out
}

// ops counts the batch's ops.
func (b *batch) ops() int {
	n := 0
	for _, p := range b.parts {
		n += p.to - p.from
	}
	return n
}

// is reports whether data, an entry about to be applied, is this batch. Raft hands a leader's state machine the very bytes
// that were proposed; should it ever copy them, their content decides.
func (b *batch) is(data []byte, id func() uint64) bool {
	if len(data) != len(b.data) {
		return false
	}
	return &data[0] == &b.data[0] || id() == b.id
}
