package table

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// A record in a slab of a page, little-endian, at a multiple of unit:
//
//	 0 access   uint32, atomic
//	 4 version  48 bits
//	10 meta     kind (5 bits), volatileFlag, blobFlag
//	11 keyLen   uint8; longKey: the length follows as uint32
//	12 valueLen uint16
//	14 extent   uint16, units reserved for the record
//	16 deadline int64, if volatile
//	   keyLen   uint32, if longKey
//	   key, value
//
// If key and value together exceed maxInline they are in a blob of their own, key first, and the record goes on from 16 with
// blob number uint32, key length uint32, deadline int64 (always there, so that EXPIRE never moves a blob).
const (
	unit       = 4
	headerSize = 16
	blobSize   = headerSize + 16
	longKey    = 255
	maxInline  = 2048

	versionAt  = 4
	metaAt     = 10
	keyLenAt   = 11
	valueLenAt = 12
	extentAt   = 14
	restAt     = 16
	blobKeyAt  = 20
	blobDueAt  = 24

	volatileFlag = 0x20
	blobFlag     = 0x40
)

var le = binary.LittleEndian

// sizeOf is the number of bytes a record takes, a multiple of unit. The value is in a blob if outboard.
func sizeOf(keyLen, valueLen int, volatile bool) (size int, outboard bool) {
	if keyLen+valueLen > maxInline {
		return blobSize, true
	}
	size = headerSize + keyLen + valueLen
	if volatile {
		size += 8
	}
	if keyLen >= longKey {
		size += 4
	}
	return (size + unit - 1) &^ (unit - 1), false
}

// cell is a record's bytes, from its header to (at least) its end.
type cell []byte

func (c cell) outboard() bool  { return c[metaAt]&blobFlag != 0 }
func (c cell) volatile() bool  { return c[metaAt]&volatileFlag != 0 }
func (c cell) extent() int     { return int(le.Uint16(c[extentAt:])) * unit }
func (c cell) setExtent(n int) { le.PutUint16(c[extentAt:], uint16(n/unit)) }

// movable is how many bytes the record takes elsewhere, 0 if it should stay where it is because its blob would be copied.
func (c cell) movable() int {
	if c.outboard() {
		return 0
	}
	return c.extent()
}

func (c cell) blob() int { return int(le.Uint32(c[restAt:])) }

// access is the access field, which readers change while they hold the read lock: atomic operations only.
func (c cell) access() *uint32 { return (*uint32)(unsafe.Pointer(&c[0])) }

// deadline is 0 if the record has none.
func (c cell) deadline() int64 {
	switch c[metaAt] & (volatileFlag | blobFlag) {
	case volatileFlag:
		return int64(le.Uint64(c[restAt:]))
	case volatileFlag | blobFlag:
		return int64(le.Uint64(c[blobDueAt:]))
	}
	return 0
}

// setVersion stores version and meta.
func (c cell) setVersion(version uint64, meta byte) {
	le.PutUint32(c[versionAt:], uint32(version))
	le.PutUint16(c[versionAt+4:], uint16(version>>32))
	c[metaAt] = meta
}

// setDeadline changes the deadline; for a record that is not outboard it must not come or go.
func (c cell) setDeadline(deadline int64) {
	at := restAt
	if c.outboard() {
		at = blobDueAt
	}
	if deadline == 0 {
		c[metaAt] &^= volatileFlag
		return
	}
	c[metaAt] |= volatileFlag
	le.PutUint64(c[at:], uint64(deadline))
}

// keyBounds returns where the key of an inline record begins and ends.
func (c cell) keyBounds() (from, to int) {
	from, n := restAt, int(c[keyLenAt])
	if c.volatile() {
		from += 8
	}
	if n == longKey {
		n = int(le.Uint32(c[from:]))
		from += 4
	}
	return from, from + n
}

// putKey writes an inline record's key and returns where its value begins. Meta must be set.
func (c cell) putKey(key []byte) int {
	at := restAt
	if c.volatile() {
		at += 8
	}
	c[keyLenAt] = byte(min(len(key), longKey))
	if len(key) >= longKey {
		le.PutUint32(c[at:], uint32(len(key)))
		at += 4
	}
	return at + copy(c[at:], key)
}

func (p *page) key(u uint16) []byte {
	c := p.cell(u)
	if c.outboard() {
		n := le.Uint32(c[blobKeyAt:])
		return p.blobs[c.blob()].data[:n:n]
	}
	from, to := c.keyBounds()
	return c[from:to:to]
}

func (p *page) value(u uint16) []byte {
	c := p.cell(u)
	if c.outboard() {
		data := p.blobs[c.blob()].data
		return data[le.Uint32(c[blobKeyAt:]):len(data):len(data)]
	}
	_, from := c.keyBounds()
	to := from + int(le.Uint16(c[valueLenAt:]))
	return c[from:to:to]
}

func (p *page) record(u uint16) Record {
	c := p.cell(u)
	return Record{
		Key:      p.key(u),
		Value:    p.value(u),
		Kind:     c[metaAt] & MaxKind,
		Version:  le.Uint64(c[versionAt:]) & MaxVersion,
		Deadline: c.deadline(),
		Access:   atomic.LoadUint32(c.access()),
	}
}

func (p *page) touch(u uint16, access uint32) { atomic.StoreUint32(p.cell(u).access(), access) }

// size is what the record at u needs: its extent without the room kept for growth.
func (p *page) size(u uint16) int {
	c := p.cell(u)
	if c.outboard() {
		return blobSize
	}
	_, from := c.keyBounds()
	return (from + int(le.Uint16(c[valueLenAt:])) + unit - 1) &^ (unit - 1)
}

// logical is the record's share of Table.Bytes.
func (r *Record) logical() int64 {
	n := int64(len(r.Key)) + int64(len(r.Value)) + Overhead
	if r.Deadline != 0 {
		n += DeadlineOverhead
	}
	return n
}

// meta is the record's meta byte.
func (r *Record) meta(outboard bool) byte {
	m := r.Kind
	if r.Deadline != 0 {
		m |= volatileFlag
	}
	if outboard {
		m |= blobFlag
	}
	return m
}
