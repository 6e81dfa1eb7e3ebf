package fsm

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// never is the deadline of a slot in which nothing expires.
const never = math.MaxInt64

// ownership is what a group may do with a slot. The values are in snapshots; moves will add theirs.
type ownership uint8

const (
	// 0: the slot holds no keys here; another group serves it.
	_ ownership = iota
	// owned slots are served.
	owned
)

// state is everything that Restore replaces.
//
// The applying goroutine alone writes it. Fields that are not atomic are its own; what readers see of a slot is behind
// the slot's lock.
type state struct {
	group slot.GroupID
	seed  uint64
	index uint64
	// version is that of the last change of a key, and grows by one with each.
	version uint64
	// slots holds nil for slots that are not owned.
	slots [slot.Count]*shard

	// now is the machine's clock, Unix ms. Invariant: it never falls.
	now      atomic.Int64
	limit    atomic.Pointer[entry.Limits]
	bytes    atomic.Int64
	keys     atomic.Int64
	volatile atomic.Int64
	// nextDue is due's first deadline, and settled is version, published at the end of an entry.
	nextDue atomic.Int64
	settled atomic.Uint64
	due     dueHeap

	// ceiling is what memory was before the entry's evictions, 0 if it has none: its writes may take what these have freed,
	// also over a limit that was lowered.
	ceiling int64

	// epoch counts snapshots; live are those not released.
	epoch uint64
	live  liveSnapshots
}

// shard is one slot's keys. mu is held for reading by readers, and for writing by the applying goroutine and by
// whoever marks the table for a snapshot.
//
// All that finding a key's page takes is in the first cache line.
type shard struct {
	mu     sync.RWMutex
	heapAt int32
	slot   uint16
	own    ownership
	keys   table.Table
	// epoch is the state's at the last write: a lower one says that live snapshots may not have marked the table yet.
	epoch uint64
	// What the state's totals and heap know of the table, see settle. Sampling reads size and expiring without the lock.
	size, expiring atomic.Int64
	deadline       int64
	// removed is the highest version that a key had which is gone: it tells WATCH that a key which is not there was there meanwhile.
	removed uint64
}

// forget notes that a key of a version is removed. The slot's write lock is held.
func (s *shard) forget(version uint64) { s.removed = max(s.removed, version) }

func newState(g Genesis) *state {
	st := &state{group: g.Group, seed: g.HashSeed}
	st.limit.Store(&entry.Limits{Policy: entry.NoEviction, Samples: DefaultSamples})
	st.nextDue.Store(never)
	if offOwnership {
		g.Slots = []slot.Range{{Last: slot.Count - 1}}
	}
	for _, r := range g.Slots {
		for n := int(r.First); n <= int(r.Last); n++ {
			st.addSlot(uint16(n), owned)
		}
	}
	return st
}

func (st *state) addSlot(n uint16, own ownership) *shard {
	s := &shard{slot: n, own: own, deadline: never, heapAt: notInHeap}
	s.keys.Init(st.seed)
	st.slots[n] = s
	return s
}

// serving returns the shard of a slot that the group serves, nil for another.
func (st *state) serving(n uint16) *shard {
	if s := st.slots[n]; s != nil && s.own == owned {
		return s
	}
	return nil
}

func (st *state) limits() *entry.Limits { return st.limit.Load() }

func (st *state) addBytes(delta int64) { st.bytes.Add(delta) }

// settle brings the totals and the heap up to what was done to a slot. Its write lock is held.
func (st *state) settle(s *shard) {
	before := s.size.Load()
	if n := int64(s.keys.Len()); n != before {
		st.keys.Add(n - before)
		s.size.Store(n)
	}
	before = s.expiring.Load()
	n := int64(s.keys.Volatile())
	if n == 0 && before == 0 {
		return
	}
	if n != before {
		st.volatile.Add(n - before)
		s.expiring.Store(n)
	}
	deadline := int64(never)
	if r, ok := s.keys.NextDue(); ok {
		deadline = r.Deadline
	}
	if deadline != s.deadline {
		s.deadline = deadline
		st.due.fix(s)
	}
}

// publish shows readers what an entry, or a snapshot, has made of the state.
func (st *state) publish() {
	st.settled.Store(st.version)
	at := int64(never)
	if len(st.due) > 0 {
		at = st.due[0].deadline
	}
	if at != st.nextDue.Load() {
		st.nextDue.Store(at)
	}
}
