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
	c := readers.Get().(*call)
	c.m, c.st, c.w, c.wall, c.shown = m, m.current.Load(), w, wall, 0
	v := c.read(op)
	c.giveBack()
	return v
}

// Reading are reads of one machine, for ReadAll.
type Reading struct {
	Machine *Machine
	Ops     []entry.Op
	// Wall is the caller's clock, Unix ms. Shown is one for what is shown only, for a caller whose clock decides nothing: a follower.
	Wall, Shown int64
	// Out gets the replies. Ends, empty at first, says where in Out.Buf the reply of each op ends, NotOwned lists the ops of
	// slots that the machine does not own.
	Out            *reply.Writer
	Ends, NotOwned []int
	// Stale: an op got NeedAdvance. It and those behind it were not executed.
	Stale bool

	st *state
}

// done reports whether there is nothing left to execute.
func (r *Reading) done() bool { return r.Stale || len(r.Ends) == len(r.Ops) }

// ReadAll is Read for the ops of each reading, one after another, with no order between readings. It is faster, because the
// ops of all of them wait for memory together.
func ReadAll(readings []Reading) {
	c := readers.Get().(*call)
	for i := range readings {
		readings[i].st = readings[i].Machine.current.Load()
	}
	for len(readings) > 0 {
		r := &readings[0]
		switch {
		case r.done():
			readings = readings[1:]
			continue
		case c.readTogether(readings):
			continue
		}
		c.attend(r)
		switch c.read(&r.Ops[len(r.Ends)]) {
		case NeedAdvance:
			r.Stale = true
			continue
		case NotOwned:
			r.NotOwned = append(r.NotOwned, len(r.Ends))
		}
		r.Ends = append(r.Ends, len(r.Out.Buf))
	}
	c.giveBack()
}

// attend makes r what c executes.
func (c *call) attend(r *Reading) {
	c.m, c.st, c.w, c.wall, c.shown = r.Machine, r.st, r.Out, r.Wall, r.Shown
}

// readers is the pool of everybody's calls but the applying goroutines'. All machines share it: a pipeline over a dozen groups
// then works with one call of a few KiB, which stays in the processor's cache.
var readers = sync.Pool{New: func() any { return &call{rng: rng(born.Add(1))} }}

var born atomic.Uint64

// giveBack returns a call to the pool.
func (c *call) giveBack() {
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
	// of is the place of the reading that each op belongs to.
	of     [fetchOps]int
	ops    [fetchOps]*operation
	shards [fetchOps]*shard
	looks  [fetchOps]table.Look
	// sum keeps the compiler from leaving out reads whose results nobody needs.
	sum uint32
}

// readTogether executes some of the readings' next ops, in order, if the first two can be looked up together.
func (c *call) readTogether(readings []Reading) bool {
	f := &c.fetched
	n := c.gather(readings)
	if n < 2 {
		return false
	}
	for _, s := range f.shards[:n] {
		f.sum += uint32(s.own)
	}
	// It must not wait for a lock while it holds others: two readers, each of whom holds what a writer waits for and waits
	// behind the other's writer, would wait for ever.
	for i, s := range f.shards[:n] {
		if s.own != owned || !s.mu.TryRLock() {
			n = i
			break
		}
	}
	f.sum += table.Fetch(f.looks[:n])
	held := 0
	for i := range n {
		if r := &readings[f.of[i]]; held <= maxHeldReply && !r.Stale {
			held += c.readFetched(r, i)
		}
		f.shards[i].mu.RUnlock()
	}
	clear(f.looks[:n])
	return n > 0
}

// gather notes as many of the readings' next ops as can be looked up together, and returns how many: quick reads of one key each.
func (c *call) gather(readings []Reading) (n int) {
	f := &c.fetched
	for i := range readings {
		r := &readings[i]
		if r.Stale {
			continue
		}
		for _, op := range r.Ops[len(r.Ends):] {
			if n == fetchOps || op.Cmd == command.Exec { // a transaction of reads is no operation
				return n
			}
			o := operationOf(op.Cmd)
			if !o.quick || len(op.Args) != 1 {
				return n
			}
			key := op.Args[0]
			s := r.st.slots[slot.Of(key)]
			if s == nil {
				return n
			}
			f.of[n], f.ops[n], f.shards[n], f.looks[n] = i, o, s, s.keys.Look(r.st.seed, key)
			n++
		}
	}
	return n
}

// readFetched executes op i of those fetched, which is r's next, and returns the size of the reply.
func (c *call) readFetched(r *Reading, i int) int {
	f := &c.fetched
	c.attend(r)
	// The clock is read behind the lock, as in onSlot.
	c.now, c.early = c.st.now.Load(), false
	op := &r.Ops[len(r.Ends)]
	c.op, c.s, c.args, c.noTouch, c.looks = f.ops[i], f.shards[i], op.Args, op.NoTouch, f.looks[i:i+1]
	start := len(c.w.Buf)
	c.op.run(c)
	if c.early {
		c.w.Buf, r.Stale = c.w.Buf[:start], true
		return 0
	}
	r.Ends = append(r.Ends, len(c.w.Buf))
	return len(c.w.Buf) - start
}
