package fsm

import (
	"math"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// Growth bounds from above how much executing op would add to Memory at this moment, for Victims. It looks at op's
// arguments and at the size of what COPY copies; an overwrite adds less. Any goroutine may ask.
func (m *Machine) Growth(op *entry.Op) int64 {
	if op.Tx != nil {
		total := int64(0)
		for i := range op.Tx.Ops {
			total += m.Growth(&op.Tx.Ops[i])
		}
		return total
	}
	if op.Cmd == command.Exec {
		return 0
	}
	n, certain := growthBound(operationOf(op.Cmd), op.Args)
	switch {
	case len(op.Args) == 0:
	case !certain:
		n += m.sizeOfKey(op.Args[0])
	case op.Cmd == command.Setrange:
		// Mostly in the midst of a value: to evict others for all that lies before it would be a waste.
		n = max(n-m.sizeOfKey(op.Args[0]), 0)
	}
	return n
}

// sizeOfKey is what a key counts, 0 if there is none.
func (m *Machine) sizeOfKey(key []byte) int64 {
	s := m.current.Load().serving(slot.Of(key))
	if s == nil {
		return 0
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sizeOfKey(key)
}

func (s *shard) sizeOfKey(key []byte) int64 {
	if r, ok := s.keys.Get(key); ok {
		return sizeOf(r)
	}
	return 0
}

// growthBound bounds growth by the arguments alone. It is not certain for COPY, which adds what is there already.
func growthBound(o *operation, args [][]byte) (n int64, certain bool) {
	if !o.denyOOM {
		return 0, true
	}
	for _, arg := range args {
		n += int64(len(arg)) + table.Overhead + table.DeadlineOverhead
	}
	switch {
	case o.spec.ID == command.Incrbyfloat:
		n += maxFloatBytes
	case o.spec.ID == command.Setrange && len(args) == 3:
		if offset, ok := parseInt(args[1]); ok {
			n += min(max(offset, 0), maxString)
		}
	}
	return n, o.spec.ID != command.Copy
}

// limited reports whether there is a limit at all.
func (st *state) limited() bool { return st.limits().MaxMemory > 0 }

// room is how much may be added; negative if a limit was lowered, or if what Redis never refuses (EXPIRE, RENAME to a
// longer name) has added a few bytes.
func (st *state) room() int64 {
	return max(int64(min(st.limits().MaxMemory, math.MaxInt64)), st.ceiling) - st.bytes.Load()
}

// runWithin runs the command unless memory would grow over the limit. The slot is locked, there is a limit. In a
// transaction that has passed transactionFits it refuses only what COPY makes of values that earlier commands made larger
// or moved.
func (c *call) runWithin() {
	if !c.fits() {
		c.w.Error(reply.OutOfMemory)
		return
	}
	c.op.run(c)
}

// fits reports whether the command leaves memory within the limit, or at least does not make it grow.
func (c *call) fits() bool {
	room := c.st.room()
	if n, certain := growthBound(c.op, c.args); certain && n <= room {
		return true
	}
	n := c.growth()
	return n == 0 || n <= room
}

// transactionFits is fits for all commands of a transaction together, each measured before the first has run. What one of
// them frees is not counted as room for another.
func (c *call) transactionFits() bool {
	room, total := c.st.room(), int64(0)
	sure := true
	for i := range c.tx.Ops {
		n, certain := growthBound(operationOf(c.tx.Ops[i].Cmd), c.tx.Ops[i].Args)
		total += n
		sure = sure && certain
	}
	if sure && total <= room {
		return true
	}
	total = 0
	for i := range c.tx.Ops {
		if c.prepare(&c.tx.Ops[i]) && c.op.denyOOM {
			total += c.growth()
		}
	}
	return total == 0 || total <= room
}

// growth is how much the command adds to memory: it runs it with primitives that measure instead of changing anything. So
// it knows what each command does, and an overwrite that needs no more room passes at the limit. A command that makes
// one key larger and another smaller grows by the former: memory is within the limit at every moment.
func (c *call) growth() int64 {
	w := c.w
	c.w, c.measuring, c.grown = &c.nowhere, true, 0
	c.op.run(c)
	c.w, c.measuring = w, false
	return c.grown
}

// measure counts a key that would be size bytes in place of what it is, visible or not.
func (c *call) measure(key []byte, size int64) {
	c.grown += max(size-c.s.sizeOfKey(key), 0)
}
