package fsm

import (
	"io"

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
	// The leader must log an advance to the wall time and ask again (DESIGN: once seen expired, never seen again).
	NeedAdvance
)

// Machine is the state of one replica.
type Machine struct{}

// New builds a group's first state.
func New(g Genesis) *Machine { panic("contract only") }

// Begin starts an entry: the clock becomes max(own, now) and a bounded number of due keys is removed in
// (deadline, key) order. Begin, Do, End, Snapshot and Restore are for the applying goroutine alone.
func (m *Machine) Begin(index uint64, now int64) {}

// Do executes one op at its place in the entry that Begin started, read or write, and writes its reply.
func (m *Machine) Do(op *entry.Op, w *reply.Writer) Verdict { return Done }

// End completes the entry.
func (m *Machine) End() {}

// Read executes a read-only op on the present state, from any goroutine. wall is the caller's clock, Unix ms.
func (m *Machine) Read(op *entry.Op, wall int64, w *reply.Writer) Verdict { return Done }

// Snapshot marks the present state in O(1). The snapshot may be written while later entries are applied.
func (m *Machine) Snapshot() *Snapshot { return nil }

// Restore replaces the whole state (clock, versions, slot states included) by a snapshot's. It builds aside and
// swaps; on an error the old state stays. The stream's version and checksums are verified before the swap.
func (m *Machine) Restore(r io.Reader) error { return nil }

// Snapshot is a state at one log index, readable while the machine goes on.
type Snapshot struct{}

// WriteTo streams the snapshot, slot by slot.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) { return 0, nil }

// Release lets the machine write in place again. It must be called exactly once.
func (s *Snapshot) Release() {}
