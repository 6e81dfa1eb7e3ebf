package table

import (
	"iter"
	"sync/atomic"
)

// View is the content of a table at the time of a Mark. It doesn't change and needs no lock: any goroutine may read
// it while the table is written. A write copies first what a View shares: a page's index once per page and Mark, at most 16 KiB,
// and the slab of the record that changes, at most 32 KiB.
type View struct {
	dir      []*page // the table's, or one[:] at depth 0
	one      [1]*page
	depth    uint8
	count    int
	bytes    int64
	gen      uint64 // what the table made up to this generation belongs to the View too
	older    *View  // the table's; Views don't look at it
	released atomic.Bool
}

// Len is the number of keys.
func (v *View) Len() int { return v.count }

// Bytes is the logical size, as of Table.Bytes.
func (v *View) Bytes() int64 { return v.bytes }

// All yields the records in (hash, key) order. They are valid until Release.
// Their access fields are recent values, not those of the Mark.
func (v *View) All() iter.Seq[Record] { return records(v.dir, v.depth) }

// Digest computes the digest of the content: O(Bytes).
func (v *View) Digest() Digest { return digest(v.All()) }

// Release lets the table write in place again. Any goroutine may call it, exactly once, after which the View may
// not be used.
func (v *View) Release() {
	v.dir, v.one[0] = nil, nil
	if v.released.Swap(true) {
		panic("table: a View was released twice")
	}
}
