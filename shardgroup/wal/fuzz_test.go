package wal

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

const fuzzSalt = 0x5eed

// segmentOf is a disk with one segment whose header is good and whose batches are b.
func segmentOf(t testing.TB, b []byte) *crashdisk.Disk {
	d := new(crashdisk.Disk)
	s := &segment{number: 1, salt: fuzzSalt, first: 1, size: max(minSegmentBytes, segmentHeaderBytes+int64(len(b)))}
	f, err := d.Create(segmentName(1), s.size, nil)
	must(t, err)
	_, err = f.WriteAt(append(s.header(), b...), 0)
	must(t, err)
	return d
}

// openable opens the disk. Whatever was on it, an open log works, and so does the log opened after it.
func openable(t *testing.T, d *crashdisk.Disk) {
	o := Options{FS: d, SegmentBytes: minSegmentBytes, Fatal: func(err error) { t.Errorf("fatal: %v", err) }}
	for range 2 {
		l, err := Open("", o)
		if err != nil {
			return
		}
		for _, id := range l.Groups() {
			g := l.Group(id)
			first, _ := g.FirstIndex()
			last, _ := g.LastIndex()
			for n := uint64(0); n <= last-first && n < 1000; n++ { // last may be the highest number there is
				must(t, g.GetLog(first+n, new(raft.Log)))
			}
			if last < 1<<63 {
				must(t, g.StoreLog(&raft.Log{Index: last + 1, Data: []byte("x")}))
			}
		}
		must(t, l.Close())
	}
}

// goodBatches is what a log writes.
func goodBatches() []byte {
	var out []byte
	for i := range uint64(3) {
		b := new(batch)
		b.reset()
		for _, e := range entries(2*i+1, 2, 1, 20) {
			b.entry(kindEntry, slot.GroupID(i%2), e)
		}
		b.short(kindDropThrough, 0, i)
		b.finish(fuzzSalt, i+1, i)
		out = append(out, b.buf...)
	}
	return out
}

// FuzzSegment opens logs of arbitrary bytes.
func FuzzSegment(f *testing.F) {
	f.Add(goodBatches())
	f.Add([]byte{})
	f.Add(bytes.Repeat(binary.LittleEndian.AppendUint64(nil, fuzzSalt), 10))
	f.Fuzz(func(t *testing.T, b []byte) { openable(t, segmentOf(t, b)) })
}

// FuzzRecords opens logs whose one batch has arbitrary records with good checksums.
func FuzzRecords(f *testing.F) {
	f.Add(goodBatches()[batchHeaderBytes:])
	f.Add(appendShort(nil, kindRelease, 0, 7))
	f.Add(appendShort(appendShort(nil, kindRemoveGroup, 2, 7), 99, 0, 0))
	f.Fuzz(func(t *testing.T, records []byte) {
		b := new(batch)
		b.reset()
		for len(records) >= recordPrefixBytes && recordSize(records) >= recordPrefixBytes && recordSize(records) <= len(records) {
			n := recordSize(records)
			b.buf = append(b.buf, records[:n]...)
			records = records[n:]
		}
		b.finish(fuzzSalt, 1, 0)
		openable(t, segmentOf(t, b.buf))
	})
}
