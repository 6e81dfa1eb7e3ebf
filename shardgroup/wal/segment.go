package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// A segment file starts with one block of
//
//	magic 8 | number 8 | salt 8 | file bytes 8 | sequence of the first batch 8 | CRC-32C of these 4
//
// and holds batches from there on. The header is synced before the file gets its name (and the name before the first
// batch is acknowledged), so a segment whose header does not read back was damaged later.
const (
	segmentHeaderBytes = 4096
	segmentFields      = 40

	segmentSuffix = ".wal"
	spareSuffix   = ".spare"
)

var segmentMagic = [8]byte{'Q', 'U', 'O', 'R', 'W', 'A', 'L', '1'}

// segment is one file of the log. Its batches are first, first+1, … up to the next segment's first.
type segment struct {
	number uint32
	salt   uint64
	first  uint64 // sequence of its first batch
	size   int64
	name   string
	file   disk.File

	// live: bytes of entry records that some group's index points to, or is about to. The file may go at 0.
	live atomic.Int64
	// reading is held shared by GetLog while it reads, so that release can wait.
	reading sync.RWMutex
}

// close waits for those who read the segment.
func (s *segment) close() error {
	s.reading.Lock() // no new reader: the index does not lead here any more, or the log is closed
	defer s.reading.Unlock()
	return s.file.Close()
}

func segmentName(number uint32) string { return fmt.Sprintf("%08x%s", number, segmentSuffix) }

func spareName(number uint32) string { return fmt.Sprintf("%08x%s", number, spareSuffix) }

// parseName reads the number out of a name with the given suffix, in exactly the form that we write.
func parseName(name, suffix string) (uint32, bool) {
	hex, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseUint(hex, 16, 32)
	return uint32(n), ok && err == nil && fmt.Sprintf("%08x", n) == hex
}

// Owns reports whether a file of that name is a log's.
func Owns(name string) bool {
	_, isSegment := parseName(name, segmentSuffix)
	_, isSpare := parseName(name, spareSuffix)
	return isSegment || isSpare
}

func (s *segment) header() []byte {
	b := make([]byte, segmentHeaderBytes)
	copy(b, segmentMagic[:])
	binary.LittleEndian.PutUint64(b[8:], uint64(s.number))
	binary.LittleEndian.PutUint64(b[16:], s.salt)
	binary.LittleEndian.PutUint64(b[24:], uint64(s.size))
	binary.LittleEndian.PutUint64(b[32:], s.first)
	binary.LittleEndian.PutUint32(b[segmentFields:], crc32.Checksum(b[:segmentFields], castagnoli))
	return b
}

// openSegment reads and checks the header of the segment file that name says has this number.
func openSegment(fs disk.FS, number uint32) (*segment, error) {
	name := segmentName(number)
	f, err := fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open segment %s: %w", name, err)
	}
	s, err := readHeader(f, number)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("segment %s: %w", name, err), f.Close())
	}
	s.name, s.file = name, f
	return s, nil
}

func readHeader(f disk.File, number uint32) (*segment, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, segmentFields+4)
	if size < segmentHeaderBytes {
		return nil, fmt.Errorf("%w: cut to %d bytes", ErrCorrupt, size)
	}
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, err
	}
	s := &segment{
		number: uint32(binary.LittleEndian.Uint64(b[8:])),
		salt:   binary.LittleEndian.Uint64(b[16:]),
		size:   int64(binary.LittleEndian.Uint64(b[24:])),
		first:  binary.LittleEndian.Uint64(b[32:]),
	}
	switch {
	case !bytes.Equal(b[:7], segmentMagic[:7]):
		return nil, fmt.Errorf("%w: header at offset 0 is not a log segment's", ErrCorrupt)
	case b[7] != segmentMagic[7]:
		return nil, fmt.Errorf("written in format %q, this version reads %q: start the version that wrote it", b[7], segmentMagic[7])
	case binary.LittleEndian.Uint32(b[segmentFields:]) != crc32.Checksum(b[:segmentFields], castagnoli):
		return nil, fmt.Errorf("%w: header at offset 0 fails its checksum", ErrCorrupt)
	case s.number != number:
		return nil, fmt.Errorf("%w: header says number %d: was the file renamed?", ErrCorrupt, s.number)
	case s.size != size:
		return nil, fmt.Errorf("%w: %d bytes long, header says %d", ErrCorrupt, size, s.size)
	}
	return s, nil
}
