// Package table is the storage engine of one slot: an ordered hash table whose records live in byte slabs.
//
// # Locks
//
// A table has no lock of its own; its owner (the machine) holds one sync.RWMutex per slot.
//
//   - Read lock, or being the one writing goroutine: Get, Len, Bytes, NextDue, All, Scan, Sample, Digest, and Touch
//     and AccessOf, which use atomic operations on the access field and so are the only "writes" a reader may do.
//   - Write lock: Put, Delete, SetDeadline, Resize, Clear, Mark.
//   - No lock, any goroutine: all methods of View.
//
// # Snapshot of many tables in O(1)
//
// The machine has a number, its epoch, and a list of live snapshots; each slot has the epoch of its last write.
// Snapshot() increments the machine's epoch and touches no table. Before the first write to a slot whose
// epoch is older than the machine's, the applying goroutine, under the slot's write lock, calls Mark once for each live
// snapshot that has no view of that slot yet, stores the View in the snapshot (guarded by the same lock), and sets the slot's epoch.
// The goroutine that persists the snapshot visits slot by slot: it takes the slot's write lock, takes the stored View or,
// if the slot was not written since, calls Mark itself, unlocks, and reads the View at leisure. When it is done it calls Release.
package table
