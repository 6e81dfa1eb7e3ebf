package table

import "iter"

// Overhead is the logical cost in bytes of one key beyond its key and value bytes; DeadlineOverhead is added
// while the key has a deadline. They are close to the physical cost, but fixed: Bytes must be equal on replicas.
const (
	Overhead         = 32
	DeadlineOverhead = 12
)

// MaxVersion is the highest Version a record can hold: 48 bits, nine years of a million writes a second.
const MaxVersion = 1<<48 - 1

// MaxKind is the highest Kind a record can hold.
const MaxKind = 31

// Record is one key with everything that belongs to it.
//
// Records that a Table or a View returns alias its slabs: they may not be modified, and those of a Table are valid
// only until its next write.
type Record struct {
	Key      []byte
	Value    []byte
	Kind     uint8  // what Value means, 0 to MaxKind; the table doesn't look at it
	Version  uint64 // of the write that made it, 0 to MaxVersion
	Deadline int64  // Unix ms from which the key is expired, 0 for never; the table never expires anything by itself
	Access   uint32 // access statistics; not part of the content: digests leave it out
}

// Table is the keys of one slot. The zero value is an empty table with seed 0.
type Table struct {
	seed uint64
}

// New makes an empty table. Tables of all replicas of a group use the same seed, so that Scan cursors survive a
// failover; a digest doesn't depend on it.
func New(seed uint64) *Table { return &Table{seed: seed} }

// Len is the number of keys.
func (t *Table) Len() int { panic("contract only") }

// Volatile is the number of keys that have a deadline.
func (t *Table) Volatile() int { panic("contract only") }

// Bytes is the logical size: for each key its key and value bytes, Overhead and DeadlineOverhead if it has a
// deadline. Equal for equal content.
func (t *Table) Bytes() int64 { panic("contract only") }

// Physical is the memory held in bytes, slack and dead space included; O(number of pages). It doesn't count what
// only Views still hold.
func (t *Table) Physical() int64 { panic("contract only") }

// Get returns the record of key. It allocates nothing.
func (t *Table) Get(key []byte) (Record, bool) { panic("contract only") }

// Touch stores the access field of key, if it exists. Read lock is enough: concurrent Touch, Get and AccessOf are safe.
func (t *Table) Touch(key []byte, access uint32) { panic("contract only") }

// AccessOf returns the access field of key.
func (t *Table) AccessOf(key []byte) (uint32, bool) { panic("contract only") }

// Put inserts or replaces the record of r.Key as a whole (access field included) and returns the change of Bytes.
// r is copied; it may alias this table (so that a Get can be Put under another key). A replacement that fits where
// the old value was, and whose page no View shares, is done in place and allocates nothing.
func (t *Table) Put(r Record) (delta int64) { panic("contract only") }

// Delete removes key and returns the change of Bytes: 0 if there was no such key, negative otherwise.
// key may alias this table.
func (t *Table) Delete(key []byte) (delta int64) { panic("contract only") }

// SetDeadline gives key a deadline (0: none) and a version, keeps all else, and returns the change of Bytes.
// ok is false if there is no such key.
func (t *Table) SetDeadline(key []byte, deadline int64, version uint64) (delta int64, ok bool) {
	panic("contract only")
}

// Resize gives the value of key the length size and the record the version, and returns the value for the caller
// to write into until the next call: what is kept is unchanged, what is new is zero. It reserves room, so that a row
// of APPENDs costs amortised O(bytes appended). APPEND, SETRANGE, SETBIT and INCR are a Resize and a copy.
// ok is false if there is no such key.
func (t *Table) Resize(key []byte, size int, version uint64) (value []byte, delta int64, ok bool) {
	panic("contract only")
}

// Clear removes everything. Live Views keep what they saw.
func (t *Table) Clear() { panic("contract only") }

// NextDue returns the key that is first in (deadline, key) order, O(1). The caller Deletes it if its deadline has
// passed: that is O(log n). The record aliases the table.
func (t *Table) NextDue() (Record, bool) { panic("contract only") }

// All yields the records in (hash, key) order: the same order for the same content and seed.
// The table may not be written meanwhile.
func (t *Table) All() iter.Seq[Record] { panic("contract only") }

// Scan calls fn for about count records (at least one, if any is left) from cursor on and returns the cursor to
// go on from, 0 when all is done. A cursor is 0 to start with and always less than 1<<CursorBits.
//
// A cursor is a prefix of the hash and records are visited in hash order, so it means the same after growth,
// shrinking, compaction, snapshot and restore, and on another replica: a key that is present during the whole scan
// is visited at least once, whatever happens to others. A key may be visited twice if the table shrinks in between.
func (t *Table) Scan(cursor uint64, count int, fn func(Record)) (next uint64) { panic("contract only") }

// CursorBits is how many low bits of a Scan cursor are used; the caller may put a slot number above them.
const CursorBits = 48

// Sample calls fn for n keys chosen near-uniformly with replacement, from the random number rnd. Nothing is
// called if the table is empty. O(n) expected.
func (t *Table) Sample(rnd uint64, n int, fn func(Record)) { panic("contract only") }

// SampleVolatile is Sample among the keys that have a deadline.
func (t *Table) SampleVolatile(rnd uint64, n int, fn func(Record)) { panic("contract only") }

// Digest is a hash of the content of a table: key, value, kind, deadline and version of all records. It doesn't
// depend on layout, order, access fields or seed.
type Digest [16]byte

// Digest computes the digest of the present content: O(Bytes).
func (t *Table) Digest() Digest { panic("contract only") }

// Mark returns a View of the present content, O(1). See the package comment for locks.
func (t *Table) Mark() *View { panic("contract only") }
