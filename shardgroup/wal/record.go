package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
)

// A batch is what one write puts on the disk: a header and the records of one or many stores. It counts only whole.
//
//	batch header (32 bytes)      salt 8 | sequence 8 | synced 8 | payload bytes 4 | CRC-32C of these 4
//	record                       CRC-32C 4 | body bytes 4 | body
//	body of every record         kind 1 | raft.LogType 1 | 0 0 | group 4 | index 8
//	then, of kinds entry, moved  term 8 | appended at, Unix ns 8 | extension bytes 4 | data | extensions
//
// Integers are little endian. Both CRCs start from the segment's salt, which is drawn anew each time a file is used, so
// what a recycled file held before never passes for new. The payload is padded with zeros to a multiple of 8 bytes.
const (
	batchHeaderBytes  = 32
	recordPrefixBytes = 8
	shortBodyBytes    = 16
	entryBodyBytes    = 36
	entryRecordBytes  = recordPrefixBytes + entryBodyBytes

	maxBatchBytes = 4 << 20 // stores join a batch up to this size; one larger entry makes a larger batch
	// watchedBytes is the most that must be written within StallTimeout: a disk that is slow with a large entry is not stuck.
	watchedBytes = 2 * maxBatchBytes
	// maxEntryBytes bounds an entry's record. What comes from another node may be as large as a frame, whatever its version.
	maxEntryBytes = entryRecordBytes + entry.MaxBytes + entry.Envelope
)

// kind says what a record does to its group. The values are on disk.
type kind uint8

const (
	kindEntry       kind = 1 // appends the entry
	kindMoved       kind = 2 // the entry again, from a segment that is to go; its place in the group's log stays
	kindDropFrom    kind = 3 // deletes the entries from index on
	kindDropThrough kind = 4 // deletes the entries up to and with index
	kindRemoveGroup kind = 5 // deletes all of the group's entries
	kindRelease     kind = 6 // segments numbered below index are not needed any more
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(salt uint64, b []byte) uint32 { return crc32.Update(uint32(salt), castagnoli, b) }

// batchHeader is the fixed part in front of a batch.
type batchHeader struct {
	// sequence counts the log's batches from 1, across segments, without a gap.
	sequence uint64
	// synced: every batch up to this one was on the disk when this one was written. It turns a later batch into a
	// witness against a damaged one; see witness.
	synced  uint64
	payload uint32
}

func (h batchHeader) put(b []byte, salt uint64) {
	binary.LittleEndian.PutUint64(b, salt)
	binary.LittleEndian.PutUint64(b[8:], h.sequence)
	binary.LittleEndian.PutUint64(b[16:], h.synced)
	binary.LittleEndian.PutUint32(b[24:], h.payload)
	binary.LittleEndian.PutUint32(b[28:], checksum(salt, b[:28]))
}

// parseBatchHeader reports whether b, at least batchHeaderBytes long, starts with a header of this salt.
func parseBatchHeader(b []byte, salt uint64) (batchHeader, bool) {
	h := batchHeader{
		sequence: binary.LittleEndian.Uint64(b[8:]),
		synced:   binary.LittleEndian.Uint64(b[16:]),
		payload:  binary.LittleEndian.Uint32(b[24:]),
	}
	return h, binary.LittleEndian.Uint64(b) == salt && binary.LittleEndian.Uint32(b[28:]) == checksum(salt, b[:28])
}

// record is one decoded record; data and extensions point into what it was decoded from.
type record struct {
	kind       kind
	group      slot.GroupID
	index      uint64
	logType    raft.LogType
	term       uint64
	appendedAt int64
	data       []byte
	extensions []byte
}

// maxIndex bounds an entry's index: a log that grew by a billion entries a second would reach it after 146 years, and index+1
// never overflows.
const maxIndex = 1<<62 - 1

// appendShort encodes a record that carries no entry. Its CRC is filled in by sign, when the segment is known.
func appendShort(b []byte, k kind, group slot.GroupID, index uint64) []byte {
	b = append(b, 0, 0, 0, 0, shortBodyBytes, 0, 0, 0, byte(k), 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(group))
	return binary.LittleEndian.AppendUint64(b, index)
}

// appendEntry encodes an entry as kindEntry or kindMoved, unsigned.
func appendEntry(b []byte, k kind, group slot.GroupID, e *raft.Log) []byte {
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(entryBodyBytes+len(e.Data)+len(e.Extensions)))
	b = append(b, byte(k), byte(e.Type), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(group))
	b = binary.LittleEndian.AppendUint64(b, e.Index)
	b = binary.LittleEndian.AppendUint64(b, e.Term)
	b = binary.LittleEndian.AppendUint64(b, uint64(unixNano(e.AppendedAt)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Extensions)))
	b = append(b, e.Data...)
	return append(b, e.Extensions...)
}

// unixNano maps the zero time to 0. A time outside 1678-2262 loses its meaning, which raft only shows in a metric.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func entrySize(e *raft.Log) int64 {
	return entryRecordBytes + int64(len(e.Data)) + int64(len(e.Extensions))
}

var errRecord = errors.New("record does not read back")

// recordSize reads the whole size of the record that starts b, without checking it.
func recordSize(b []byte) int { return recordPrefixBytes + int(binary.LittleEndian.Uint32(b[4:])) }

// signRecord fills in the CRC of the record that is exactly b.
func signRecord(b []byte, salt uint64) {
	binary.LittleEndian.PutUint32(b, checksum(salt, b[4:]))
}

// parseRecord decodes the record that starts b and returns its size.
func parseRecord(b []byte, salt uint64) (record, int, error) {
	if len(b) < recordPrefixBytes {
		return record{}, 0, errRecord
	}
	size := uint64(recordPrefixBytes) + uint64(binary.LittleEndian.Uint32(b[4:]))
	if size > uint64(len(b)) || size < recordPrefixBytes+shortBodyBytes ||
		binary.LittleEndian.Uint32(b) != checksum(salt, b[4:size]) && !offChecksum {
		return record{}, 0, errRecord
	}
	r, err := parseBody(b[recordPrefixBytes:size])
	return r, int(size), err
}

func parseBody(b []byte) (record, error) {
	r := record{
		kind:    kind(b[0]),
		logType: raft.LogType(b[1]),
		group:   slot.GroupID(binary.LittleEndian.Uint32(b[4:])),
		index:   binary.LittleEndian.Uint64(b[8:]),
	}
	switch r.kind {
	case kindEntry, kindMoved:
		return r, r.parseEntry(b)
	case kindDropFrom, kindDropThrough, kindRemoveGroup, kindRelease:
		if len(b) == shortBodyBytes {
			return r, nil
		}
	}
	return record{}, fmt.Errorf("%w: kind %d with %d bytes (written by a newer version?)", errRecord, r.kind, len(b))
}

func (r *record) parseEntry(b []byte) error {
	if len(b) < entryBodyBytes || r.index == 0 || r.index > maxIndex {
		return errRecord
	}
	r.term = binary.LittleEndian.Uint64(b[16:])
	r.appendedAt = int64(binary.LittleEndian.Uint64(b[24:]))
	rest, ext := b[entryBodyBytes:], uint64(binary.LittleEndian.Uint32(b[32:]))
	if ext > uint64(len(rest)) {
		return errRecord
	}
	split := len(rest) - int(ext)
	r.data, r.extensions = rest[:split:split], rest[split:]
	return nil
}

// entry is the raft entry of a record of kind entry or moved. It shares r's bytes.
func (r *record) entry() raft.Log {
	e := raft.Log{Index: r.index, Term: r.term, Type: r.logType, Data: r.data}
	if len(r.extensions) > 0 {
		e.Extensions = r.extensions
	}
	if r.appendedAt != 0 {
		e.AppendedAt = time.Unix(0, r.appendedAt)
	}
	return e
}
