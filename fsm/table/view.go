package table

import "iter"

// View is the content of a table at the time of a Mark. It doesn't change and needs no lock: any goroutine may read
// it while the table is written. A write copies first what a View shares: one page, at most 128 KiB and a little,
// once per page and Mark.
type View struct{}

// Len is the number of keys.
func (v *View) Len() int { panic("contract only") }

// Bytes is the logical size, as of Table.Bytes.
func (v *View) Bytes() int64 { panic("contract only") }

// All yields the records in (hash, key) order. They are valid until Release.
func (v *View) All() iter.Seq[Record] { panic("contract only") }

// Digest computes the digest of the content: O(Bytes).
func (v *View) Digest() Digest { panic("contract only") }

// Release lets the table write in place again. Any goroutine may call it, exactly once, after which the View may
// not be used.
func (v *View) Release() { panic("contract only") }
