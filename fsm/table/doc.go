// Package table is the storage engine of one slot: an ordered hash table whose records live in byte slabs.
//
// A cluster has 16384 tables of nothing to millions of keys each, typically some hundred. So a key costs no Go object and
// no pointer, an empty table nothing but its struct, and no write does more work than one page's, however many keys there are.
//
// # Layout
//
// A table is a directory of pages by hash prefix (extendible hashing). A page is an index of 4-byte entries, sorted by hash with gaps,
// over slabs of 8 to 32 KiB that hold the records; see page, slab.go and, for a record's bytes, record.go. Key and value of more than 2 KiB together
// are a byte slice of their own, a blob, which is limited by memory only. A page splits at 128 KiB of live bytes or 2048 keys; its
// siblings merge again at a quarter of that. What a record leaves behind when it moves is compacted once it is
// an eighth of the page (when the page needs space) or half of it (at once).
//
// Measured, for 16-byte keys, all that the allocator gives included: 105 bytes per key with 64-byte values at 300 keys per
// table, 103 at 100,000 in one; 1,104 with 1 KiB values. With the holes that 5 million keys leave in Go's heap while they
// are loaded into 16384 tables it is 113 and 1,127. With 10 million keys in one table the slowest write took 3 ms of CPU
// while it was loaded (a collection by Go's runtime that fell into it included), and 0.7 ms after a Mark.
//
// # Locks
//
// A table has no lock of its own; its owner (the machine) holds one sync.RWMutex per slot.
//
//   - Read lock, or being the one writing goroutine: Get, Find, Fetch, Len, Volatile, Bytes, Physical, NextDue, All, Scan, Sample,
//     SampleVolatile, Digest; also Touch and AccessOf, which use atomic operations on the access field and so may
//     run beside all these.
//   - Write lock: Put, Delete, SetDeadline, Resize and writing to what it returned, Clear, Mark, Release.
//   - No lock, any goroutine: all methods of View.
//
// A table has no ties to its slot or group: handing it over is copying the pointer, Views may stay live meanwhile.
//
// # Snapshot of many tables in O(1)
//
// The machine has a number, its epoch, and a list of live snapshots; each slot has the epoch of its last write.
// Snapshot() increments the machine's epoch and touches no table. Before the first write to a slot whose
// epoch is older than the machine's, the applying goroutine, under the slot's write lock, calls Mark once for each live
// snapshot that has no view of that slot yet, stores the View in the snapshot (guarded by the same lock), and sets the slot's epoch.
// The goroutine that persists the snapshot visits slot by slot: it takes the slot's write lock, takes the stored View or,
// if the slot was not written since, calls Mark itself, unlocks, and reads the View at leisure. When it is done it calls Release
// under the lock again.
//
// A Mark copies nothing. The first write to each page afterwards copies its index (for as long as the View is live), and the
// directory once; a record that a View shares moves when it is changed, and a blob is copied. What
// moves leave behind, about an eighth of a page at most, stays until the page is written beside another View, or grows. So a snapshot costs memory for what
// is written while it lasts, and a View shows what was there at the Mark and no more.
//
// # Collections
//
// Records of other kinds than strings can hang off the same index: a record's value is then the number of an object in a
// slice beside Table.dir, of which a View takes a reference as it does of dir. Nothing here looks into values or kinds.
package table
