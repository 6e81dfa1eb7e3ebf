package fsm

import (
	"sync/atomic"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// Genesis is the state of a group before its first entry; equal on all replicas.
type Genesis struct {
	Group    slot.GroupID
	HashSeed uint64
	Slots    []slot.Range
}

// Verdict says what became of an op.
type Verdict uint8

const (
	// Done: executed, the reply (which may be an error reply) is written.
	Done Verdict = iota
	// NotOwned: the group does not own the keys' slot at this log position. Nothing happened, nothing is written.
	NotOwned
	// NeedAdvance: wall time says that a key the op reads is past its deadline, the machine's clock does not yet.
	// The leader must log an advance to the wall time and ask again (once seen expired, never seen again).
	NeedAdvance
)

// Machine is the state of one replica.
type Machine struct {
	// current is replaced as a whole by Restore, so that a reader sees either the old state or the new.
	current atomic.Pointer[state]
	// own is the applying goroutine's call.
	own      call
	ahead    ahead
	observer Observer
	evictor  evictor
	uses     useLog
	expired  atomic.Uint64
	evicted  atomic.Uint64
}

// New builds a group's first state.
func New(g Genesis) *Machine {
	m := &Machine{}
	m.current.Store(newState(g))
	m.own.rng, m.own.nowhere.Discard = rng(g.HashSeed), true
	return m
}

// Begin starts an entry: the clock becomes max(own, now) and at most MaxExpiredPerEntry due keys are removed in
// (deadline, slot, key) order. Begin, Ahead, Do, End, Snapshot and Restore are for the applying goroutine alone.
func (m *Machine) Begin(index uint64, now int64) {
	st := m.current.Load()
	st.index, st.ceiling = index, 0
	if !offClockMaximum {
		now = max(st.now.Load(), now)
	}
	st.now.Store(now)
	m.removeDue(st)
}

// Do executes one op at its place in the entry that Begin started, read or write, and writes its reply.
//
// A command that Redis flags denyoom is answered -OOM, and changes nothing, if it would make Memory grow and end over the
// limit; the evictions that the leader has put ahead of it in the entry count. So memory never passes the limit by such
// a command, where Redis lets it pass by one; and one that needs no more room, like an overwrite by a value of the same
// size, works at the limit. Over a limit that was lowered and is not reached yet, an entry's writes may take the room
// that its evictions make: memory does not grow. Other commands are never refused: EXPIRE and RENAME may add the bytes of
// a deadline or of a longer name. A transaction is refused as a whole.
func (m *Machine) Do(op *entry.Op, w *reply.Writer) Verdict {
	st := m.current.Load()
	m.ahead.step(st)
	c := &m.own
	c.m, c.st, c.w, c.now = m, st, w, st.now.Load()
	var v Verdict
	if op.Cmd == command.Exec {
		v = c.transaction(op.Tx)
	} else {
		v = c.single(op)
	}
	c.shrink()
	return v
}

// End completes the entry.
func (m *Machine) End() {
	m.ahead.end()
	m.current.Load().publish()
}

// Now is the machine's clock, Unix ms. Any goroutine may ask.
func (m *Machine) Now() int64 { return m.current.Load().now.Load() }

// Index is that of the newest entry. It is for the applying goroutine.
func (m *Machine) Index() uint64 { return m.current.Load().index }

// Owned are the slots that the group serves. It is for the applying goroutine.
func (m *Machine) Owned() (out []slot.Range) {
	st := m.current.Load()
	for n := range uint16(slot.Count) {
		switch last := len(out) - 1; {
		case st.serving(n) == nil:
		case last >= 0 && out[last].Last+1 == n:
			out[last].Last = n
		default:
			out = append(out, slot.Range{First: n, Last: n})
		}
	}
	return out
}

// NextDue is the earliest deadline of a key that is still held, as of the last entry; ok is false if there is none.
// The leader logs an advance once its clock has passed it. Any goroutine may ask.
func (m *Machine) NextDue() (deadline int64, ok bool) {
	at := m.current.Load().nextDue.Load()
	return at, at != never
}

// Stats are a machine's figures. Expired and Evicted count since the machine was made on this node.
type Stats struct {
	Keys, Volatile   int64
	Memory           int64
	Expired, Evicted uint64
}

// Stats reads the figures. Any goroutine may ask. Keys that have expired and are not removed yet count.
func (m *Machine) Stats() Stats {
	st := m.current.Load()
	return Stats{
		Keys: st.keys.Load(), Volatile: st.volatile.Load(), Memory: st.bytes.Load(),
		Expired: m.expired.Load(), Evicted: m.evicted.Load(),
	}
}

// Memory is the logical size of all keys in bytes, which is what the limit is compared with: for every key its own bytes,
// its value's and a fixed overhead, so that replicas agree. Any goroutine may ask.
func (m *Machine) Memory() int64 { return m.current.Load().bytes.Load() }
