package wal

import (
	"sync"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/failstop"
)

// batch collects the records of stores that will share one write. Log.mu guards it until the committing goroutine takes
// it out of Log.open; from then to landed, that goroutine owns it.
type batch struct {
	turn  *sync.Cond // of Log.mu: it may be written now, or is done, or the latch fell
	watch *failstop.Watch

	buf        []byte // batchHeaderBytes left free, then records
	stores     int
	entries    int
	entryBytes int64
	sync       bool // to be synced in Interval too

	place
	synced  uint64 // newest batch that was known to be on the disk when this one got its place
	durable bool   // it was written and synced in one step
	landed  bool   // its write has ended
	done    bool   // and so have those of all before it
	err     error
	left    int // stores that have not read the result yet
}

// place is where in the log a batch goes.
type place struct {
	seg      *segment
	at       int64 // offset in seg
	sequence uint64
}

// keepBatchBytes bounds the buffer kept for the next batch.
const keepBatchBytes = maxBatchBytes

func (b *batch) reset() {
	buf := b.buf[:0]
	if cap(buf) > keepBatchBytes {
		buf = nil
	}
	*b = batch{turn: b.turn, watch: b.watch, buf: append(buf, make([]byte, batchHeaderBytes)...)}
}

// size is how many bytes of the log it takes.
func (b *batch) size() int64 { return int64(len(b.buf)+7) &^ 7 }

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

// finish pads the batch, signs its records and fills in its header, for the place that it has.
func (b *batch) finish() {
	end, salt := len(b.buf), b.seg.salt
	for len(b.buf)%8 != 0 {
		b.buf = append(b.buf, 0)
	}
	for rest := b.buf[batchHeaderBytes:end]; len(rest) > 0; {
		n := recordSize(rest)
		signRecord(rest[:n], salt)
		rest = rest[n:]
	}
	h := batchHeader{sequence: b.sequence, synced: b.synced, payload: uint32(len(b.buf) - batchHeaderBytes)}
	h.put(b.buf, salt)
}

// entry is where the entry record at offset in the batch, n bytes long, lies on the disk.
func (p place) entry(offset int, n int64) location {
	return location{segment: p.seg.number, offset: uint32(p.at) + uint32(offset), size: uint32(n)}
}
