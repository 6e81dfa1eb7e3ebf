package wal

import (
	"bytes"
	"encoding/binary"
)

// scanner reads a segment's batches one after the other, up to the first that does not read back.
type scanner struct {
	s        *segment
	offset   int64  // of the batch to read next
	sequence uint64 // of that batch
	err      error  // the file could not be read, as opposed to: holds something else

	records   []byte // of the batch read last, padding too
	recordsAt int64

	starts []int64 // offsets of the batches after proven
	proven uint64  // every batch up to this one was synced
}

// next reads a batch, whole and in order, and reports whether there was one.
func (c *scanner) next() bool {
	if c.offset+batchHeaderBytes > c.s.size {
		return false
	}
	var b [batchHeaderBytes]byte
	if !c.read(b[:], c.offset) {
		return false
	}
	h, ok := parseBatchHeader(b[:], c.s.salt)
	if !ok || h.sequence != c.sequence || c.offset+batchHeaderBytes+int64(h.payload) > c.s.size {
		return false
	}
	if int(h.payload) > cap(c.records) {
		c.records = make([]byte, h.payload)
	}
	c.records, c.recordsAt = c.records[:h.payload], c.offset+batchHeaderBytes
	if !c.read(c.records, c.recordsAt) || !intact(c.records, c.s.salt) {
		return false
	}
	c.prove(h)
	c.offset = c.recordsAt + int64(h.payload)
	c.sequence++
	return true
}

// prove keeps account of which batches were surely synced.
func (c *scanner) prove(h batchHeader) {
	c.starts = append(c.starts, c.offset)
	c.proven = max(c.proven, h.synced)
	for len(c.starts) > 0 && h.sequence-uint64(len(c.starts))+1 <= c.proven {
		c.starts = c.starts[1:]
	}
}

func (c *scanner) read(b []byte, at int64) bool {
	_, c.err = c.s.file.ReadAt(b, at)
	return c.err == nil
}

// intact reports whether b is records with good checksums, and padding.
func intact(b []byte, salt uint64) bool {
	for len(b) > 0 && !padding(b) {
		if len(b) < recordPrefixBytes {
			return false
		}
		size := uint64(recordPrefixBytes) + uint64(binary.LittleEndian.Uint32(b[4:]))
		if size > uint64(len(b)) || binary.LittleEndian.Uint32(b) != checksum(salt, b[4:size]) && !offChecksum {
			return false
		}
		b = b[size:]
	}
	return true
}

// padding reports whether b is what finish appends behind the last record.
func padding(b []byte) bool {
	if len(b) >= 8 {
		return false
	}
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// scanChunk is how much witness and rewriteUnproven read at a time.
const scanChunk = 1 << 20

// witness looks, behind the place where the scan stopped, for a batch of this segment whose header says that the batch
// missing here had been synced. If there is one, the batch did not fall to a crash: it was damaged later.
func (c *scanner) witness() (at int64, found bool, err error) {
	salt := binary.LittleEndian.AppendUint64(nil, c.s.salt)
	buf := make([]byte, min(scanChunk+batchHeaderBytes, c.s.size-c.offset))
	for from := c.offset; from < c.s.size; from += scanChunk {
		b := buf[:min(int64(len(buf)), c.s.size-from)]
		if _, err := c.s.file.ReadAt(b, from); err != nil {
			return 0, false, err
		}
		for i := 0; ; i++ {
			n := bytes.Index(b[i:], salt)
			if n < 0 || i+n+batchHeaderBytes > len(b) {
				break
			}
			i += n
			if h, ok := parseBatchHeader(b[i:], c.s.salt); ok && h.synced >= c.sequence {
				return from + int64(i), true, nil
			}
		}
	}
	return 0, false, nil
}

// rewriteUnproven makes the last batches durable: those of which it is not sure that they are. The kernel may show
// pages whose sync has failed in the process before, and take them for clean; only writing them again makes it write.
func (c *scanner) rewriteUnproven() error {
	from := c.offset
	if len(c.starts) > 0 {
		from = c.starts[0]
	}
	buf := make([]byte, min(scanChunk, c.offset-from))
	for from < c.offset {
		b := buf[:min(int64(len(buf)), c.offset-from)]
		if _, err := c.s.file.ReadAt(b, from); err != nil {
			return err
		}
		if _, err := c.s.file.WriteAt(b, from); err != nil {
			return err
		}
		from += int64(len(b))
	}
	return c.s.file.Sync()
}
