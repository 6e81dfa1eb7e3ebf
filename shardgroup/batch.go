package shardgroup

import (
	"fmt"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
)

const (
	// maxVictims bounds the keys that one entry evicts.
	maxVictims = 512
	// victimTries is how often victims are looked for, for one entry: each search is a few random samples.
	victimTries = 4
	// maxPrefixed is how large an entry may become by its evictions. They must not be what makes it too large to be logged,
	// because without the room that they make nothing could be written any more.
	maxPrefixed = entry.MaxBytes - 1<<20
	// entryHeader is about what an entry takes beside its ops.
	entryHeader = 64
)

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
	// prefix is what the leader itself has to say ahead of the calls: a new limit, evictions.
	prefix []entry.Op
	parts  []part
	// whole counts the parts that end their calls. Only the last part can be a call's beginning or middle.
	whole int
	// behind counts the calls that waited for the next entry when this one had been applied, before its own calls were done.
	behind int
	size   int
	// advance is done when the entry is applied; may be nil.
	advance *advance
}

// gather chooses what goes into the next entry.
func (b *batch) gather(waiting []*Call, limit int) {
	b.size = entryHeader
	for _, c := range waiting {
		p := part{call: c, from: c.placed, to: c.placed}
		for ; p.to < len(c.Ops); p.to++ {
			n := opBytes(&c.Ops[p.to])
			if b.size+n > limit && b.size > entryHeader {
				break
			}
			b.size += n
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

// growth bounds how much memory the batch's writes take, but for those that take more than there is altogether: they will
// be refused, and must not cost all other keys first.
func (b *batch) growth(m *fsm.Machine, limit uint64) int64 {
	total := int64(0)
	for _, p := range b.parts {
		for i := p.from; i < p.to; i++ {
			if p.call.rides(i) {
				continue
			}
			if n := m.Growth(&p.call.Ops[i]); uint64(n) <= limit {
				total += n
			}
		}
	}
	return total
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
