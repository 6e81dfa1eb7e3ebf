package table

import "iter"

// View is the content of a table at the time of a Mark. It doesn't change and needs no lock: any goroutine may read
// it while the table is written. A write copies first what a View shares: a page's index once per page and Mark, at most 16 KiB,
// and of the records the one that changes, or where that cannot move the slab it is in, at most 32 KiB (Table.unlend).
type View struct {
	dir   []*page // the table's, or one[:] at depth 0
	one   [1]*page
	depth uint8
	count int
	bytes int64

	// The table's, from here on: guarded by its write lock.
	gen   uint64 // what the table made up to this generation belongs to the View too
	older *View  // the next one that lives
}

// Len is the number of keys.
func (v *View) Len() int { return v.count }

// Bytes is the logical size, as of Table.Bytes.
func (v *View) Bytes() int64 { return v.bytes }

// All yields the records in (hash, key) order. They are valid until Table.Release.
// Their access fields are recent values, not those of the Mark.
func (v *View) All() iter.Seq[Record] { return records(v.dir, v.depth) }

// Digest computes the digest of the content: O(Bytes).
func (v *View) Digest() Digest { return digest(v.All()) }
