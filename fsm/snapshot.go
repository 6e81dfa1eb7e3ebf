package fsm

import (
	"encoding/binary"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/fsm/table"
)

// formatVersion is the version of the snapshot format. A reader refuses any other. Version 1 had frames of empty slots,
// version 2 did not have what was removed.
const formatVersion = 3

// Snapshot is a state at one log index, readable while the machine goes on.
type Snapshot struct {
	// Rest, if set, is called by WriteTo and Digest after each restEvery bytes of records or so, for whoever wants to give
	// others the processor meanwhile. It may sleep: nothing is locked.
	Rest func()

	st     *state
	header header
	// views[i] is what slot i held: nil until it is first written after the
	// snapshot or read by it, whichever is earlier. views and taken are guarded by the slot's lock.
	views [slot.Count]*table.View
	taken [slot.Count]bool
	// removed is the slots' own (shard), kept and guarded as their views.
	removed [slot.Count]uint64
	used    bool
	// unrested are the bytes read since the last rest.
	unrested int
}

// restEvery is how many bytes of keys and values are read between two calls of Rest: some 25 to 50 µs.
const restEvery = 16 << 10

// header is what a snapshot holds beside the slots.
type header struct {
	group   slot.GroupID
	seed    uint64
	index   uint64
	now     int64
	version uint64
	limit   entry.Limits
}

// liveSnapshots is the set of snapshots that are not released.
type liveSnapshots struct {
	mu  sync.Mutex
	all []*Snapshot
}

func (l *liveSnapshots) add(s *Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(slices.Clone(l.all), s)
}

func (l *liveSnapshots) remove(s *Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(slices.Clone(l.all), func(x *Snapshot) bool { return x == s })
}

// list returns a slice that never changes.
func (l *liveSnapshots) list() []*Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// Snapshot marks the present state in O(1). The snapshot may be written while later entries are applied.
func (m *Machine) Snapshot() *Snapshot {
	st := m.current.Load()
	st.epoch++
	s := &Snapshot{st: st, header: st.header()}
	st.live.add(s)
	return s
}

func (st *state) header() header {
	return header{
		group: st.group, seed: st.seed, index: st.index, now: st.now.Load(), version: st.version, limit: *st.limits(),
	}
}

// beforeWrite lets every live snapshot keep what a slot holds now. The slot's write lock is held.
func (st *state) beforeWrite(s *shard) {
	if s.epoch == st.epoch || offCopyOnWrite {
		return
	}
	s.epoch = st.epoch
	for _, snap := range st.live.list() {
		snap.keep(s)
	}
}

// keep marks a slot's table unless the snapshot has it. The slot's write lock is held. An empty slot, of which a small
// group has thousands, gets no view.
func (s *Snapshot) keep(sh *shard) {
	if s.taken[sh.slot] {
		return
	}
	s.taken[sh.slot], s.removed[sh.slot] = true, sh.removed
	if sh.keys.Len() > 0 {
		s.views[sh.slot] = sh.keys.Mark()
	}
}

// each visits what the slots held, nil for nothing, in order of slot. Each view is released after its visit, so that the machine goes back
// to writing in place slot by slot; therefore it runs once.
func (s *Snapshot) each(visit func(sh *shard, v *table.View)) {
	if s.used {
		panic("fsm: a snapshot is read once")
	}
	s.used = true
	for _, sh := range s.st.slots {
		if sh == nil {
			continue
		}
		v := s.view(sh)
		visit(sh, v)
		if v != nil {
			sh.release(v)
		}
	}
}

func (s *shard) release(v *table.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys.Release(v)
}

// view takes over the view of a slot, nil if it was empty.
func (s *Snapshot) view(sh *shard) *table.View {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.keep(sh)
	v := s.views[sh.slot]
	s.views[sh.slot] = nil
	return v
}

// Release lets the machine write in place again. It must be called exactly once, and not while the snapshot is read.
func (s *Snapshot) Release() {
	s.st.live.remove(s)
	for _, sh := range s.st.slots {
		if sh == nil {
			continue
		}
		sh.mu.Lock()
		s.taken[sh.slot] = true
		if v := s.views[sh.slot]; v != nil {
			s.views[sh.slot] = nil
			sh.keys.Release(v)
		}
		sh.mu.Unlock()
	}
}

// read yields the records of a slot with rests between them.
func (s *Snapshot) read(v *table.View) iter.Seq[table.Record] {
	return func(yield func(table.Record) bool) {
		for r := range v.All() {
			if !yield(r) {
				return
			}
			if s.unrested += len(r.Key) + len(r.Value); s.unrested >= restEvery {
				s.unrested = 0
				if s.Rest != nil {
					s.Rest()
				}
			}
		}
	}
}

// WriteTo streams the snapshot, slot by slot. It may be called once; so may Digest, and only one of them. It writes little at
// a time: w should have a buffer.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	frames := &frameWriter{w: w}
	data := &dataWriter{frames: frames}
	sum := newDigester(s.header)
	frames.frame(kindHeader, s.header.encode())
	frames.frame(kindSlots, slotsFrame(s.st))
	s.each(func(sh *shard, v *table.View) {
		if frames.err != nil {
			return
		}
		keys, removed, digest := 0, s.removed[sh.slot], emptyDigest
		if v != nil {
			keys = v.Len()
		}
		if keys > 0 || removed > 0 {
			frames.frame(kindSlot, slotFrame(sh.slot, keys, removed))
			if v != nil {
				digest = s.writeRecords(data, v)
			}
			frames.frame(kindSlotEnd, digest[:])
		}
		sum.slot(sh, removed, &digest)
	})
	total := sum.total()
	frames.frame(kindTrailer, total[:])
	return frames.written, frames.err
}

func (h header) encode() []byte {
	b := []byte(snapshotMagic)
	b = append(b, formatVersion)
	return h.append(b)
}

// append writes the fields in a fixed form, for the snapshot and for the digest.
func (h header) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(h.group))
	b = binary.LittleEndian.AppendUint64(b, h.seed)
	b = binary.LittleEndian.AppendUint64(b, h.index)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.now))
	b = binary.LittleEndian.AppendUint64(b, h.version)
	b = binary.LittleEndian.AppendUint64(b, h.limit.MaxMemory)
	b = append(b, byte(h.limit.Policy))
	return binary.LittleEndian.AppendUint32(b, h.limit.Samples)
}

// slotsFrame lists the slots that the group has: the first and the last of each run with the same state, and that state.
func slotsFrame(st *state) (b []byte) {
	for i, s := range st.slots {
		if s == nil || i > 0 && st.slots[i-1] != nil && st.slots[i-1].own == s.own {
			continue
		}
		last := i
		for last+1 < slot.Count && st.slots[last+1] != nil && st.slots[last+1].own == s.own {
			last++
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(i))
		b = binary.LittleEndian.AppendUint16(b, uint16(last))
		b = append(b, byte(s.own))
	}
	return b
}

// slotsRun is the length of a run in slotsFrame.
const slotsRun = 2 + 2 + 1

func slotFrame(n uint16, keys int, removed uint64) []byte {
	b := binary.LittleEndian.AppendUint16(nil, n)
	b = binary.LittleEndian.AppendUint64(b, uint64(keys))
	return binary.LittleEndian.AppendUint64(b, removed)
}

// recordHead is the fixed part of a record: kind, version, deadline, access, length of key, length of value.
const recordHead = 1 + 8 + 8 + 4 + 4 + 4

// writeRecords writes the records of a slot and returns their digest, which means nothing after an error.
func (s *Snapshot) writeRecords(w *dataWriter, v *table.View) table.Digest {
	var sum table.Sum
	for r := range s.read(v) {
		sum.Add(&r)
		writeRecord(w, r)
		if w.frames.err != nil {
			break
		}
	}
	w.flush()
	return sum.Digest()
}

func writeRecord(w *dataWriter, r table.Record) {
	var head [recordHead]byte
	head[0] = r.Kind
	binary.LittleEndian.PutUint64(head[1:], r.Version)
	binary.LittleEndian.PutUint64(head[9:], uint64(r.Deadline))
	binary.LittleEndian.PutUint32(head[17:], r.Access)
	binary.LittleEndian.PutUint32(head[21:], uint32(len(r.Key)))
	binary.LittleEndian.PutUint32(head[25:], uint32(len(r.Value)))
	// The error sticks in the frame writer.
	_, _ = w.Write(head[:])
	_, _ = w.Write(r.Key)
	_, _ = w.Write(r.Value)
}
