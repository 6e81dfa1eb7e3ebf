package wal

import (
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
)

// batch collects the records of stores that will share one write. Log.mu guards it until the committing goroutine takes
// it out of Log.open; from then to done, that goroutine owns it.
type batch struct {
	buf        []byte // batchHeaderBytes left free, then records
	stores     int
	entries    int
	entryBytes int64
	sync       bool // to be synced in Interval too

	done bool
	err  error
	seg  *segment
	at   int64 // of the batch in seg
	left int   // stores that have not read the result yet
}

// keepBatchBytes bounds the buffer kept for the next batch.
const keepBatchBytes = maxBatchBytes

func (b *batch) reset() {
	buf := b.buf[:0]
	if cap(buf) > keepBatchBytes {
		buf = nil
	}
	*b = batch{buf: append(buf, make([]byte, batchHeaderBytes)...)}
}

func (b *batch) empty() bool { return len(b.buf) == batchHeaderBytes }

// short adds a record without an entry.
func (b *batch) short(k kind, group slot.GroupID, index uint64) {
	b.buf = appendShort(b.buf, k, group, index)
}

// entry adds an entry and returns where in the batch its record begins. Who the members are is never lost: a replica that has
// lost entries counts by it how many others may have.
func (b *batch) entry(k kind, group slot.GroupID, e *raft.Log) (offset int) {
	offset = len(b.buf)
	b.buf = appendEntry(b.buf, k, group, e)
	b.sync = b.sync || e.Type == raft.LogConfiguration
	b.entries++
	b.entryBytes += int64(len(b.buf) - offset)
	return offset
}

// finish pads the batch, signs its records and fills in its header.
func (b *batch) finish(salt, sequence, synced uint64) {
	end := len(b.buf)
	for len(b.buf)%8 != 0 {
		b.buf = append(b.buf, 0)
	}
	for rest := b.buf[batchHeaderBytes:end]; len(rest) > 0; {
		n := recordSize(rest)
		signRecord(rest[:n], salt)
		rest = rest[n:]
	}
	h := batchHeader{sequence: sequence, synced: synced, payload: uint32(len(b.buf) - batchHeaderBytes)}
	h.put(b.buf, salt)
}

// committed is a store's share of a batch that was written: where it lies.
type committed struct {
	seg *segment
	at  int64
}

// place is where the entry record at offset in the batch, n bytes long, lies on the disk.
func (c committed) place(offset int, n int64) location {
	return location{segment: c.seg.number, offset: uint32(c.at) + uint32(offset), size: uint32(n)}
}
