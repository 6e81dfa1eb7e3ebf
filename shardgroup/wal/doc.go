// Package wal is the node's log store: one append-only log that all Raft groups of the node share, so that one
// write and one fdatasync commit the entries of many groups.
//
//	log, err := wal.Open(dir, wal.Options{Fatal: exit})
//	raft.NewRaft(…, log.Group(id), …) // a raft.LogStore, the same handle until log.RemoveGroup(id)
//	log.Close()                       // after the Rafts
//
// Why not hashicorp/raft-wal, which inspired much here: it keeps one group per file set, so N groups make N syncs where
// one would do (70 µs of CPU per SET instead of 55 at pipeline 1 with three groups per node, more with more); it syncs
// with fsync, and files it has just extended; and it has no mode that acknowledges before the sync.
//
// # What StoreLogs promises
//
// In Always, entries are on the disk when it returns. In Interval they are with the kernel: they survive the process,
// and a power cut may take those of the last second (Options.SyncEvery). Either way a crash leaves a prefix of what was
// written, in order, across all groups; one batch (the stores that shared a write) is there whole or not at all.
// DeleteRange of a suffix and RemoveGroup are durable when they return, in Interval too.
//
// The first write or sync that fails, or takes longer than Options.StallTimeout (a large write: 8 MiB of it), is fatal (package failstop): Fatal is
// called once, no operation succeeds any more, and nothing that was waiting is acknowledged. A sync is never tried twice.
//
// In Always, on Linux, batches go around the page cache (O_DIRECT with O_DSYNC) and are waited for without a thread
// (io_submit), on ext4 and XFS where the kernel lets them; see disk.Dir.Durable. Besides CPU time (three nodes under
// `quorate bench --pipeline 1`: 10 % less with --reads 0, a quarter less with --reads 0.8), that leaves the node's processor to others while the disk works.
//
// # Who owns the bytes
//
// StoreLogs keeps the entries' Data and Extensions without copying, and GetLog hands them out. Nobody may write to them
// after StoreLogs was called, nor to what GetLog gave. (Raft holds on to them anyway, for replication.)
//
// # Files
//
// Segments are numbered files of one size (larger only for a larger entry), their blocks allocated before use, and written
// too if each batch is synced, so that fdatasync has no metadata to write: here 137 µs instead of 209. Segments that no group
// needs become spares and then segments again. For the layout see record.go and segment.go. Each segment draws a random salt, from which all
// of its checksums start; what the file held in an earlier life is never taken for new. Each Open begins a new segment,
// so that bytes behind a torn end are never reached again.
//
// A segment goes when no group needs an entry in it, oldest first; see Log.clean. When more than half of the disk space
// is waste, the few entries that hold the oldest segment back are copied forward: an idle group does not pin the log.
//
// # What is noticed at Open, and what is not
//
// A batch that does not read back is either damaged or the torn end of the log. Each batch header says up to which batch
// everything was known to be synced when it was written. So if any later header says so of the bad batch, or the next
// segment exists (which is begun only after a sync), it was damaged: Open fails with ErrCorrupt, file and offset. If
// none does, nobody was promised that the batch is on the disk (in Interval: that it survives a power cut), and the log
// ends before it. An idle log gets an empty batch after Options.SyncEvery, and another at Close, so that this holds for
// its last data too. Not noticed is therefore:
//
//   - damage to the very last batch, if the machine died within that second after it; it looks torn, and is dropped; where batches
//     do not go around the page cache, also damage to the seal before it, with which it is dropped;
//   - in Interval, damage to batches that were not synced yet, if the machine died before they were;
//   - the loss of the newest segment files as a whole, and the log's replacement by an older copy.
//
// Of the oldest files, a missing one is noticed: the log records durably which segment is the first one needed. Damage
// that comes later than Open is noticed when the entry is read (every record has its own CRC-32C), and is fatal.
package wal
