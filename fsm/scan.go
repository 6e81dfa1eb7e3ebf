package fsm

import (
	"bytes"
	"math"
	"strconv"

	"github.com/quorate/quorate/fsm/glob"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// A SCAN cursor is the slot and, below it, the high bits of a cursor within the slot's table: it means the same on every
// replica and after a snapshot. It is less than 2^53, so that clients in JavaScript may hold it as a number. Slots are
// scanned in order. A machine scans on until the first slot that it does not serve and answers the cursor of that slot's
// start, so that the front end can pass it to whoever serves it; behind the last slot it answers 0.
const (
	withinBits  = 39
	withinShift = table.CursorBits - withinBits
	scanEnd     = uint64(slot.Count) << withinBits
)

// ScanStart is the cursor at the start of a slot.
func ScanStart(n uint16) uint64 { return uint64(n) << withinBits }

// CursorSlot is the slot that a cursor is in; false if it is not a cursor.
func CursorSlot(cursor uint64) (uint16, bool) { return uint16(cursor >> withinBits), cursor < scanEnd }

// defaultScanCount is Redis's default for COUNT.
const defaultScanCount = 10

// scanOptions are what SCAN looks for.
type scanOptions struct {
	match, kind []byte
	count       int64
}

// wants reports whether a record has not expired and is looked for.
func (o *scanOptions) wants(r table.Record, now int64) bool {
	return (r.Deadline == 0 || r.Deadline > now) &&
		(o.kind == nil || string(o.kind) == kind(r.Kind).String()) &&
		(o.match == nil || glob.Match(o.match, r.Key))
}

// scanOptions reads MATCH, COUNT and TYPE. If ok is false, the error has been answered.
func (c *call) scanOptions(args [][]byte) (o scanOptions, ok bool) {
	o.count = defaultScanCount
	for ; len(args) >= 2; args = args[2:] {
		name := upper(args[0])
		switch string(name.bytes()) {
		case "MATCH":
			o.match = args[1]
		case "TYPE":
			o.kind = bytes.ToLower(args[1])
		case "COUNT":
			if o.count, ok = c.int(args[1]); !ok {
				return o, false
			}
			if o.count < 1 {
				c.w.Error(reply.SyntaxError)
				return o, false
			}
		default:
			c.w.Error(reply.SyntaxError)
			return o, false
		}
	}
	if len(args) > 0 {
		c.w.Error(reply.SyntaxError)
		return o, false
	}
	return o, true
}

// cmdScan answers SCAN for the slots of this machine from the cursor on.
func cmdScan(c *call) {
	cursor, err := strconv.ParseUint(string(c.args[0]), 10, 64)
	n, inRange := CursorSlot(cursor)
	if err != nil || !inRange {
		c.w.Error(reply.InvalidCursor)
		return
	}
	o, ok := c.scanOptions(c.args[1:])
	if !ok {
		return
	}
	var found [][]byte
	next := cursor
	left := int(min(o.count, math.MaxInt32))
	for s := c.st.serving(n); s != nil && left > 0; s = c.servingAt(next) {
		next = scanSlot(s, next, &left, func(r table.Record) {
			if o.wants(r, c.now) {
				found = append(found, append([]byte(nil), r.Key...))
			}
		})
	}
	c.w.Array(2)
	c.w.Bulk(strconv.AppendUint(c.scratch[:0], next%scanEnd, 10))
	c.answerKeys(found)
}

func (c *call) servingAt(cursor uint64) *shard {
	n, ok := CursorSlot(cursor)
	if !ok {
		return nil
	}
	return c.st.serving(n)
}

// scanSlot visits at most about left keys of a slot and returns the cursor to go on from, in this slot or the next.
func scanSlot(s *shard, cursor uint64, left *int, visit func(table.Record)) (next uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	within := cursor << withinShift & (1<<table.CursorBits - 1)
	for {
		within = s.keys.Scan(within, max(*left, 1), func(r table.Record) {
			*left--
			visit(r)
		})
		if within == 0 {
			return cursor>>withinBits<<withinBits + 1<<withinBits
		}
		// What the cursor cannot hold is cut off: the next call visits a key or two again. If nothing is left of the step, go on.
		if next = ScanStart(s.slot) | within>>withinShift; next > cursor {
			return next
		}
	}
}

func cmdKeys(c *call) {
	o := scanOptions{match: c.args[0]}
	var found [][]byte
	for _, s := range c.st.slots {
		found = c.keysOf(s, found, math.MaxInt, &o)
	}
	c.answerKeys(found)
}

// keysOf appends copies of at most limit keys of a slot that are looked for.
func (c *call) keysOf(s *shard, found [][]byte, limit int, o *scanOptions) [][]byte {
	if s == nil || s.own != owned || limit <= 0 {
		return found
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for r := range s.keys.All() {
		if !o.wants(r, c.now) {
			continue
		}
		found = append(found, append([]byte(nil), r.Key...))
		if limit--; limit == 0 {
			break
		}
	}
	return found
}

func (c *call) answerKeys(keys [][]byte) {
	c.w.Array(len(keys))
	for _, key := range keys {
		c.w.Bulk(key)
	}
}

// cmdDBSize counts as Redis does: keys that have expired and are not removed yet count.
func cmdDBSize(c *call) { c.w.Int(c.st.keys.Load()) }

// slotArgument reads a slot that this machine serves. If ok is false, an error or the reply for no keys is answered.
func (c *call) slotArgument(arg []byte, absent func()) (s *shard, ok bool) {
	n, ok := parseInt(arg)
	if !ok || n < 0 || n >= slot.Count {
		c.w.Error(reply.InvalidSlot)
		return nil, false
	}
	if s = c.st.serving(uint16(n)); s == nil {
		absent()
		return nil, false
	}
	return s, true
}

func cmdCountKeysInSlot(c *call) {
	s, ok := c.slotArgument(c.args[0], func() { c.w.Int(0) })
	if !ok {
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	c.w.Int(int64(s.keys.Len()))
}

func cmdGetKeysInSlot(c *call) {
	s, ok := c.slotArgument(c.args[0], func() { c.w.Array(0) })
	if !ok {
		return
	}
	limit, ok := parseInt(c.args[1])
	if !ok || limit < 0 {
		c.w.Error("ERR Invalid number of keys")
		return
	}
	c.answerKeys(c.keysOf(s, nil, int(limit), &scanOptions{}))
}

// randomTries is how often RANDOMKEY draws again when it met an expired key, as in Redis.
const randomTries = 100

func cmdRandomKey(c *call) {
	for range randomTries {
		if key := c.randomKey(); key != nil {
			c.w.Bulk(key)
			return
		}
	}
	c.w.Null()
}

// randomKey draws a key near-uniformly over all slots, nil if none or an expired one was met.
func (c *call) randomKey() (key []byte) {
	total := c.st.keys.Load()
	if total == 0 {
		return nil
	}
	at := int64(c.rng.below(uint64(total)))
	for _, s := range c.st.slots {
		if s == nil || s.own != owned {
			continue
		}
		if at -= int64(s.size.Load()); at >= 0 {
			continue
		}
		s.mu.RLock()
		s.keys.Sample(c.rng.next(), 1, func(r table.Record) {
			if r.Deadline == 0 || r.Deadline > c.now {
				key = append([]byte(nil), r.Key...)
			}
		})
		s.mu.RUnlock()
		return key
	}
	return nil
}

// cmdFlush empties every slot that is served, then tells: whoever was told earlier could still read, and cache, what a slot that is not
// empty yet has.
func cmdFlush(c *call) {
	if len(c.args) > 1 || len(c.args) == 1 && !is(c.args[0], "ASYNC") && !is(c.args[0], "SYNC") {
		c.w.Error(reply.SyntaxError)
		return
	}
	for _, s := range c.st.slots {
		if s == nil || s.own != owned || s.size.Load() == 0 {
			continue
		}
		s.mu.Lock()
		c.st.beforeWrite(s)
		s.forget(c.st.version)
		c.st.addBytes(-s.keys.Bytes())
		s.keys.Clear()
		c.st.settle(s)
		s.mu.Unlock()
	}
	c.m.flushed()
	c.w.OK()
}

// SlotStats are the figures of one slot.
type SlotStats struct {
	Slot  uint16
	Keys  int
	Bytes int64
}

// SlotStats lists the slots that are served, in order. Any goroutine may ask.
func (m *Machine) SlotStats() []SlotStats {
	var out []SlotStats
	for _, s := range m.current.Load().slots {
		if s == nil || s.own != owned {
			continue
		}
		s.mu.RLock()
		out = append(out, SlotStats{Slot: s.slot, Keys: s.keys.Len(), Bytes: s.keys.Bytes()})
		s.mu.RUnlock()
	}
	return out
}
