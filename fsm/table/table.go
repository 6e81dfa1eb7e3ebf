package table

import (
	"bytes"
	"fmt"
	"iter"
	"sync/atomic"
	"unsafe"

	"github.com/zeebo/xxh3"
)

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
//
// Pages are found through dir by the first depth bits of a key's hash (extendible hashing, its directory in hash order). A page with
// fewer bits of its own is in dir several times, side by side. A page that is too full splits, two small siblings
// merge: each write costs work on one page at most, however big the table is, apart from a doubled directory.
//
// It must not be copied once it has been used.
type Table struct {
	// What a lookup needs comes first, to be in one cache line with the owner's lock, and with the directory itself while
	// it is a single page, as it is in most tables.
	seed    uint64
	one     [1]*page
	depth   uint8
	deepest uint32  // pages with depth bits; here because there is room
	dir     []*page // nil while the table is empty, otherwise 1<<depth; one[:] at depth 0

	newest   *View  // the youngest that lives; older ones behind it
	gen      uint64 // number of Marks so far
	dirGen   uint64 // as page.gen, for dir at depths above 0
	count    int
	volatile int
	bytes    int64
	due      []*page // heap of the pages with deadlines
}

const (
	tableSize  = unsafe.Sizeof(Table{})
	pageSize   = unsafe.Sizeof(page{})
	blobHeader = int64(unsafe.Sizeof(blob{}))
	// sliceHeader is what a []byte costs where it is kept.
	sliceHeader = int64(unsafe.Sizeof([]byte(nil)))
)

// New makes an empty table. Tables of all replicas of a group use the same seed, so that Scan cursors survive a
// failover; a digest doesn't depend on it.
func New(seed uint64) *Table { return &Table{seed: seed} }

// Init gives a table that is a field of something else, and was not used yet, its seed.
func (t *Table) Init(seed uint64) { t.seed = seed }

// Len is the number of keys.
func (t *Table) Len() int { return t.count }

// Volatile is the number of keys that have a deadline.
func (t *Table) Volatile() int { return t.volatile }

// Bytes is the logical size: for each key its key and value bytes, Overhead, and DeadlineOverhead if it has a
// deadline. Equal for equal content.
func (t *Table) Bytes() int64 { return t.bytes }

// Physical is the memory held in bytes, slack and dead space included; O(number of pages). It doesn't count what
// only Views still hold.
func (t *Table) Physical() int64 {
	n := int64(tableSize) + 8*int64(cap(t.due))
	if t.depth > 0 {
		n += 8 * int64(cap(t.dir))
	}
	for p := range pages(t.dir, t.depth) {
		n += p.physical()
	}
	return n
}

// Get returns the record of key. It allocates nothing.
func (t *Table) Get(key []byte) (Record, bool) {
	if p, u, ok := t.lookup(key); ok {
		return p.record(u), true
	}
	return Record{}, false
}

// Touch stores the access field of key, if it exists. Read lock is enough: concurrent Touch, Get and AccessOf are safe.
func (t *Table) Touch(key []byte, access uint32) {
	if p, u, ok := t.lookup(key); ok {
		p.touch(u, access)
	}
}

// AccessOf returns the access field of key.
func (t *Table) AccessOf(key []byte) (uint32, bool) {
	if p, u, ok := t.lookup(key); ok {
		return atomic.LoadUint32(p.cell(u).access()), true
	}
	return 0, false
}

// NextDue returns the key that is first in (deadline, key) order, O(1). The caller Deletes it if its deadline has
// passed: that is O(log n). The record aliases the table.
func (t *Table) NextDue() (Record, bool) {
	if len(t.due) == 0 {
		return Record{}, false
	}
	p := t.due[0]
	return p.record(p.due[0]), true
}

// All yields the records in (hash, key) order: the same order for the same content and seed.
// The table may not be written meanwhile.
func (t *Table) All() iter.Seq[Record] { return records(t.dir, t.depth) }

// Digest computes the digest of the present content: O(Bytes).
func (t *Table) Digest() Digest { return digest(t.All()) }

// Clear removes everything. Live Views keep what they saw.
func (t *Table) Clear() {
	t.dir, t.one[0], t.due = nil, nil, nil
	t.count, t.volatile, t.bytes = 0, 0, 0
	t.deepest, t.depth = 0, 0
}

// Mark returns a View of the present content, O(1). See the package comment for locks.
func (t *Table) Mark() *View {
	v := &View{dir: t.dir, depth: t.depth, count: t.count, bytes: t.bytes, gen: t.gen, older: t.newest}
	if v.dir != nil && v.depth == 0 {
		v.one = t.one
		v.dir = v.one[:]
	}
	t.newest = v
	t.gen++
	return v
}

// shared reports whether a live View may hold what was made in generation gen.
func (t *Table) shared(gen uint64) bool {
	return t.newest != nil && gen <= t.newest.gen
}

// Release ends a View of this table, so that the table writes in place again. It panics if v is not a live View of the table.
func (t *Table) Release(v *View) {
	at := &t.newest
	for *at != nil && *at != v {
		at = &(*at).older
	}
	if *at == nil {
		panic("table: a View was released twice, or is another table's")
	}
	*at = v.older
	*v = View{}
}

// own returns p, the page of h, or if a View shares it a copy that takes its place. Places in the index stay.
func (t *Table) own(p *page, h uint64) *page {
	if !t.shared(p.gen) {
		return p
	}
	c := p.clone(t.gen)
	if c.queued != 0 {
		t.due[c.queued-1] = c
	}
	t.place(h, c)
	return c
}

// writable returns the record at u of p, which is owned, for changes in place. If a View shares its slab, the page gets a
// copy of it.
func (t *Table) writable(p *page, u uint16) cell {
	t.unlend(p, u, 0)
	return p.cell(u)
}

// unlend makes the slab at u of p, which is owned, one that no View shares. It returns false if the record, of size bytes, had better
// move behind the last one, as it had unless that splits the page; never if size is 0. Of ten million keys, a SET finds its slab
// shared nearly each time, and in the first seconds of a snapshot copies of slabs took half of its CPU time: Go's allocator sweeps up to a hundred slabs for each that it
// gives, and new memory is faulted in. Moves allocate a fifth of that (40 SETs to one page). What they leave behind is compacted (reserve), 170 µs for every 150 moves.
func (t *Table) unlend(p *page, u uint16, size int) bool {
	i := int(u / frameUnits)
	if p.lent>>i&1 == 0 {
		return true
	}
	if t.newest == nil {
		p.lent = 0
		return true
	}
	if size > 0 && p.count < maxKeys && int(p.live)+size <= maxPage {
		return false
	}
	at := p.slabOf(i)
	p.setSlab(at, bytes.Clone(p.frame(at)))
	return true
}

// pageOf returns the page for hash h, nil if the table is empty.
func (t *Table) pageOf(h uint64) *page {
	if t.depth == 0 {
		return t.one[0]
	}
	return t.dir[h>>(64-t.depth)]
}

func (t *Table) hash(key []byte) uint64 { return hashOf(t.seed, key) }

func hashOf(seed uint64, key []byte) uint64 { return xxh3.HashSeed(key, seed) }

func (t *Table) lookup(key []byte) (p *page, u uint16, ok bool) {
	h := t.hash(key)
	if p = t.pageOf(h); p == nil {
		return nil, 0, false
	}
	i := p.find(tagOf(h, p.depth), key)
	if i < 0 {
		return nil, 0, false
	}
	return p, unitOf(p.index[i]), true
}

// check panics if r cannot be stored: a caller that lets it come so far would make replicas differ.
func (r *Record) check() {
	if r.Kind > MaxKind || r.Version > MaxVersion {
		panic(fmt.Sprintf("table: record of kind %d, version %d: the highest are %d and %d", r.Kind, r.Version, MaxKind, uint64(MaxVersion)))
	}
}
