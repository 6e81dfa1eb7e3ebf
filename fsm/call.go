package fsm

import (
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/table"
)

// maxScratch bounds the scratch buffer that a call keeps between operations.
const maxScratch = 64 << 10

// call is one operation being executed: what it may see, and the primitives that commands are made of. The machine
// has one for the applying goroutine and a pool for readers, so that executing an operation allocates nothing.
type call struct {
	m    *Machine
	st   *state
	s    *shard
	op   *operation
	args [][]byte
	w    *reply.Writer
	// now is the machine's clock. wall is a reader's clock, 0 in the log: there only the machine's counts.
	// shown is a follower's clock: nothing is decided by it, but without it what is left of a deadline would stand still in an idle group.
	now, wall, shown int64
	// early is set when a reader met a key that is past its deadline by wall but not by now.
	early   bool
	scratch []byte
	rng     rng
	// measuring: the primitives change nothing and add up in grown by how much they would let memory grow (growth).
	measuring bool
	// noTouch: the op's lookups are no uses of its keys.
	noTouch bool
	grown   int64
	nowhere reply.Writer
	// tx is the transaction being executed, nil if none is.
	tx *entry.Tx
	// unlocked is what a reader's operation leaves to be done when the slot's lock is given back; nil if nothing.
	unlocked func()
	// looks are a reader's lookups of the op's keys, in order, as far as they were fetched. Nothing was written since.
	looks   []table.Look
	fetched fetched
}

func (c *call) name() string { return c.op.spec.Name }

// lookup finds a key that has not expired by the machine's clock, without touching it.
func (c *call) lookup(key []byte) (table.Record, bool) {
	_, r, ok := c.seek(key)
	return r, ok
}

// seek is lookup, and says where the key is.
func (c *call) seek(key []byte) (table.Place, table.Record, bool) {
	p, ok := c.place(key)
	if !ok {
		return p, table.Record{}, false
	}
	r := p.Record()
	if r.Deadline != 0 {
		if r.Deadline <= c.now || offLogTime && r.Deadline <= c.wall {
			return p, table.Record{}, false
		}
		c.early = c.early || r.Deadline <= c.wall
	}
	return p, r, true
}

// place finds a key, expired or not.
func (c *call) place(key []byte) (table.Place, bool) {
	if len(c.looks) > 0 && c.looks[0].Is(key) {
		l := &c.looks[0]
		c.looks = c.looks[1:]
		return l.Place()
	}
	return c.s.keys.Find(key)
}

// find is lookup as a use of the key.
func (c *call) find(key []byte) (table.Record, bool) {
	p, r, ok := c.seek(key)
	if !ok || c.measuring || c.noTouch {
		return r, ok
	}
	// Most touches change nothing, as the clock is coarse.
	word := c.touched(r.Access)
	if word != r.Access {
		p.Touch(word)
	}
	if !c.applying() && c.rng.below(useSample) == 0 {
		c.m.uses.note(key, word)
	}
	return r, true
}

func (c *call) exists(key []byte) bool {
	_, ok := c.find(key)
	return ok
}

// clock is the later of the two clocks that count, for access statistics.
func (c *call) clock() int64 { return max(c.now, c.wall) }

// display is the latest of all clocks: for what is shown, never for what is decided or kept.
func (c *call) display() int64 { return max(c.clock(), c.shown) }

func (c *call) touched(word uint32) uint32 {
	if frequency(c.st.limits().Policy) {
		return lfuTouched(word, c.clock(), &c.rng)
	}
	return idleWord(c.clock())
}

// accessOfNew is the access word of a key that is written whole. Under LFU a key that is overwritten keeps its count.
func (c *call) accessOfNew(key []byte) uint32 {
	if !frequency(c.st.limits().Policy) {
		return idleWord(c.clock())
	}
	if word, ok := c.s.keys.AccessOf(key); ok {
		return lfuTouched(word, c.clock(), &c.rng)
	}
	return lfuWord(lfuInit, c.clock())
}

// put stores a string. deadline 0 means none; one that has passed is the caller's mistake.
func (c *call) put(key, val []byte, deadline int64) {
	c.putRecord(table.Record{Key: key, Value: val, Kind: uint8(kindString), Deadline: deadline})
}

// putRecord stores key, value, kind and deadline of r under a new version.
func (c *call) putRecord(r table.Record) {
	if c.measuring {
		c.measure(r.Key, sizeOf(r))
		return
	}
	r.Access = c.accessOfNew(r.Key)
	r.Version = c.written(r.Key)
	c.st.addBytes(c.s.keys.Put(r))
}

// splice writes patch at a place of a string that gets length size: v, an existing, visible key's (found), is extended
// with zeros; else a new key is made of them.
func (c *call) splice(key []byte, v table.Record, found bool, size, at int, patch []byte) {
	if c.measuring {
		v.Key = key
		c.measure(key, sizeOf(v)+int64(size-len(v.Value)))
		return
	}
	version, added := c.written(key), int64(0)
	if !found {
		added = c.s.keys.Put(table.Record{Key: key, Kind: uint8(kindString), Access: c.accessOfNew(key), Version: version})
	}
	val, delta, ok := c.s.keys.Resize(key, size, version)
	if !ok {
		panic("fsm: resize of a key that was found and is gone")
	}
	c.st.addBytes(added + delta)
	copy(val[at:], patch)
}

// setDeadline changes an existing, visible key's deadline.
func (c *call) setDeadline(key []byte, deadline int64) {
	if c.measuring {
		r, _ := c.s.keys.Get(key)
		r.Deadline = deadline
		c.measure(key, sizeOf(r))
		return
	}
	delta, ok := c.s.keys.SetDeadline(key, deadline, c.written(key))
	if !ok {
		panic("fsm: new deadline for a key that was found and is gone")
	}
	c.st.addBytes(delta)
}

// remove deletes a visible key. An expired one is left to Begin: to the client it is gone already.
func (c *call) remove(key []byte) bool {
	r, ok := c.lookup(key)
	if !ok || c.measuring {
		return ok
	}
	c.st.beforeWrite(c.s)
	c.s.forget(r.Version)
	c.st.addBytes(c.s.keys.Delete(key))
	c.m.changed(key)
	return true
}

// written prepares the slot for a change of key and returns the version that the change gets. Every change gets its
// own, so that two changes in one entry differ for WATCH and for evictions.
func (c *call) written(key []byte) uint64 {
	c.st.beforeWrite(c.s)
	c.m.changed(key)
	c.st.version++
	return c.st.version
}

// shrink drops a scratch buffer that one large value has grown.
func (c *call) shrink() {
	if cap(c.scratch) > maxScratch {
		c.scratch = nil
	}
}
