package fsm

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"github.com/quorate/quorate/fsm/table"
)

// Digest identifies a machine's state. Replicas of a group at the same log index have the same one.
//
// It covers what decides over later replies: group, hash seed, index, clock, version counter, limit, which slots the
// group has and what it may do with them, key, value, kind, deadline and version of every key, and the highest version that each slot has removed. Access statistics are
// left out: reads are not logged, so replicas differ in them.
type Digest [16]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// digester adds up a state: the digest of the header and of every slot in order.
type digester struct{ buf []byte }

func newDigester(h header) *digester { return &digester{buf: h.append(nil)} }

func (d *digester) slot(s *shard, removed uint64, keys *table.Digest) {
	d.buf = append(d.buf, byte(s.slot), byte(s.slot>>8), byte(s.own))
	d.buf = binary.LittleEndian.AppendUint64(d.buf, removed)
	d.buf = append(d.buf, keys[:]...)
}

// emptySlots adds the slots from one number up to another, which have no keys and never had.
func (d *digester) emptySlots(st *state, from, to int) {
	for _, s := range st.slots[from:to] {
		if s != nil {
			d.slot(s, 0, &emptyDigest)
		}
	}
}

var emptyDigest = table.New(0).Digest()

func (d *digester) total() Digest { return xxh3.Hash128(d.buf).Bytes() }

// Digest computes the digest of the state that was marked. It may be called once, and not together with WriteTo, whose
// trailer holds it.
func (s *Snapshot) Digest() Digest {
	sum := newDigester(s.header)
	s.each(func(sh *shard, v *table.View) {
		var keys table.Sum
		if v != nil {
			for r := range s.read(v) {
				keys.Add(&r)
			}
		}
		digest := keys.Digest()
		sum.slot(sh, s.removed[sh.slot], &digest)
	})
	return sum.total()
}

// SlotDigest is the digest of the keys of one slot, as of now; false if the group does not hold the slot. Any goroutine
// may ask; the slot is marked for the time it takes, so writes go on.
func (m *Machine) SlotDigest(n uint16) (table.Digest, bool) {
	s := m.current.Load().serving(n)
	if s == nil {
		return table.Digest{}, false
	}
	s.mu.Lock()
	v := s.keys.Mark()
	s.mu.Unlock()
	digest := v.Digest()
	s.mu.Lock()
	s.keys.Release(v)
	s.mu.Unlock()
	return digest, true
}
