package fsm

import (
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// Read executes a read-only op on the present state, from any goroutine. wall is the caller's clock, Unix ms.
// A transaction of reads is one too: it sees one moment of its slot.
func (m *Machine) Read(op *entry.Op, wall int64, w *reply.Writer) Verdict {
	c := m.reader(wall, w)
	v := c.read(op)
	m.done(c)
	return v
}

// ReadAll is Read for one op after another: faster, because the ops wait for memory together. It appends to ends where in
// w.Buf the reply of each op ends, and to notOwned the ops of slots that the group does not own. fresh is false, and the
// rest not executed, if an op got NeedAdvance.
func (m *Machine) ReadAll(ops []entry.Op, wall int64, w *reply.Writer, ends, notOwned []int) (_, _ []int, fresh bool) {
	c := m.reader(wall, w)
	defer m.done(c)
	for at := 0; at < len(ops); {
		if n := c.fetch(ops[at:]); n > 0 {
			if n, fresh = c.readFetched(ops[at:at+n], &ends); !fresh {
				return ends, notOwned, false
			}
			at += n
			continue
		}
		switch c.read(&ops[at]) {
		case NeedAdvance:
			return ends, notOwned, false
		case NotOwned:
			notOwned = append(notOwned, at)
		}
		ends = append(ends, len(w.Buf))
		at++
	}
	return ends, notOwned, true
}

// readers is the pool of everybody's calls but the applying goroutines'. All machines share it: a pipeline over a dozen groups
// then works with one call of a few KiB, which stays in the processor's cache.
var readers = sync.Pool{New: func() any { return &call{rng: rng(born.Add(1))} }}

var born atomic.Uint64

// reader takes a call from the pool.
func (m *Machine) reader(wall int64, w *reply.Writer) *call {
	c := readers.Get().(*call)
	c.m, c.st, c.w, c.wall = m, m.current.Load(), w, wall
	return c
}

// done gives it back.
func (m *Machine) done(c *call) {
	c.shrink()
	c.release()
	readers.Put(c)
}

func (c *call) read(op *entry.Op) Verdict {
	start := len(c.w.Buf)
	c.early = false
	var v Verdict
	if op.Cmd == command.Exec {
		v = c.transaction(op.Tx)
	} else {
		v = c.single(op)
	}
	if v == Done && c.early {
		c.w.Buf = c.w.Buf[:start]
		v = NeedAdvance
	}
	return v
}

const (
	// fetchOps is how many lookups are under way together. The processor follows about a dozen cache misses at a time.
	fetchOps = 16
	// maxHeldReply is how many bytes of replies are written while the slots of other reads are held.
	maxHeldReply = 64 << 10
)

// fetched are ops whose keys are looked up together.
type fetched struct {
	ops    [fetchOps]*operation
	shards [fetchOps]*shard
	looks  [fetchOps]table.Look
	// sum keeps the compiler from leaving out reads whose results nobody needs.
	sum uint32
}

// fetch looks up the keys of as many of the first ops as it can together, and returns how many: quick reads of one key
// each, whose slots it then holds for readFetched. It must not wait for a lock while it holds others: two readers, each
// of whom holds what a writer waits for and waits behind the other's writer, would wait for ever.
func (c *call) fetch(ops []entry.Op) int {
	f := &c.fetched
	n := 0
	for ; n < min(len(ops), fetchOps); n++ {
		if ops[n].Cmd == command.Exec { // a transaction of reads is no operation
			break
		}
		o := operationOf(ops[n].Cmd)
		if !o.quick || len(ops[n].Args) != 1 {
			break
		}
		key := ops[n].Args[0]
		s := c.st.slots[slot.Of(key)]
		if s == nil {
			break
		}
		f.ops[n], f.shards[n], f.looks[n] = o, s, s.keys.Look(c.st.seed, key)
	}
	if n < 2 {
		return 0
	}
	for _, s := range f.shards[:n] {
		f.sum += uint32(s.own)
	}
	for i, s := range f.shards[:n] {
		if s.own != owned || !s.mu.TryRLock() {
			n = i
			break
		}
	}
	f.sum += table.Fetch(f.looks[:n])
	return n
}

// readFetched executes the ops of fetch, as many as may be before their slots must be let go, and returns how many. If the
// next is not fresh, it returns false.
func (c *call) readFetched(ops []entry.Op, ends *[]int) (done int, fresh bool) {
	f := &c.fetched
	// The clock is read behind the locks, as in onSlot.
	c.now, c.early = c.st.now.Load(), false
	start, end := len(c.w.Buf), len(c.w.Buf)
	for ; done < len(ops) && end-start <= maxHeldReply; done++ {
		c.op, c.s, c.args, c.looks = f.ops[done], f.shards[done], ops[done].Args, f.looks[done:done+1]
		c.op.run(c)
		if c.early {
			c.w.Buf = c.w.Buf[:end]
			break
		}
		c.s.mu.RUnlock()
		end = len(c.w.Buf)
		*ends = append(*ends, end)
	}
	for _, s := range f.shards[done:len(ops)] {
		s.mu.RUnlock()
	}
	clear(f.looks[:len(ops)])
	return done, !c.early
}
