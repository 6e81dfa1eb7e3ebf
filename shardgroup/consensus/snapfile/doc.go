// Package snapfile keeps a replica's newest snapshot in one file, durably.
//
// hashicorp/raft's FileSnapshotStore leaves gaps: it does not sync the directory that holds a snapshot's two files, its meta
// data has no checksum, leftovers of a crash stay for ever, and a snapshot it cannot read is skipped in favour of an older
// one, whose log is gone. Here a snapshot is one file: written under a temporary name, synced, renamed, and the directory
// synced, before an older one is removed. All of it is under checksums, and an unreadable file is an error.
//
// Format, little endian:
//
//	"QSNP" | version u32 | meta length u32 | meta (JSON) | CRC-32C of all before u32
//	data
//	data length u64 | CRC-32C of the data u32 | CRC-32C of these 12 bytes u32
package snapfile
