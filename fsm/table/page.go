package table

import (
	"bytes"
	"slices"

	"github.com/zeebo/xxh3"
)

// A page holds the records whose hashes begin with the same depth bits: slabs with the records, and an index.
//
// The index is an array of entries (tag<<16 | unit), 0 where empty. The tag is the 16 hash bits that follow the page's
// prefix; the unit is where in the slabs the record is. The home of a tag is tag*homes>>16: it never falls as tags rise. Entries
// are kept in (hash, key) order with no gap between an entry's home and its place (linear probing, ordered; no wrap-around,
// some places past the last home). So walking the index is walking in hash order, whatever its size is, and growing it
// needs no record. It is 7/8 full at most.
type page struct {
	// What a lookup needs comes first, to be in one cache line. The page takes four of them, as Go's allocator puts it.
	index []uint32
	homes uint16
	depth uint8
	tail  uint8 // the frame in which the last slab begins
	// lent has a bit for each frame whose slab a View's page may have too: records in it may not be changed. Behind used they
	// may be added: that page's index does not lead there.
	lent uint32
	gen  uint64 // Table.gen when it was made: shared if a live View is at least as young
	frames

	used      int32 // where the next record goes, in bytes; what is neither live nor dead is lost at ends of slabs
	live      int32 // bytes of records
	dead      int32 // bytes of records that were removed or moved
	count     int32
	queued    int32    // 1 + place in Table.due, 0 if no record has a deadline; the one field that changes on shared pages, so Views don't look at it
	freeBlobs uint32   // 1 + number of the first free blob, 0 if none; the list goes on in blob.gen
	due       []uint16 // heap of the units of records with a deadline
	blobs     []blob
}

// blob holds a key and value that are too big for the slab.
type blob struct {
	data []byte
	gen  uint64 // as page.gen; next of the free list while data is nil
}

const (
	// maxPage bounds a page's live bytes, and with it how long one write can take: to compact a page takes 170 µs among two
	// million keys. Units of 4 bytes in 16 bits reach twice as far, which covers the dead bytes that may be there.
	maxPage = 128 << 10
	// maxKeys bounds the linear search for a deadline in page.due.
	maxKeys = 2048
	// mergeBelow is the live bytes below which two sibling pages become one; far below maxPage/2, so that a
	// table whose size swings doesn't split and merge in turn.
	mergeBelow = maxPage / 4
	// maxDepth keeps prefix and tag within a Scan cursor. 2^32 pages are out of reach with a hash that is one.
	maxDepth = CursorBits - 16
)

// newPage makes an empty page for count records.
func newPage(depth uint8, gen uint64, count int) *page {
	p := &page{depth: depth, gen: gen}
	p.index, p.homes = newIndex(count)
	return p
}

// newIndex makes an index for count entries, 3/4 full then.
func newIndex(count int) (index []uint32, homes uint16) {
	places := count*4/3 + 2
	pad := 6 + places/32
	index = slices.Grow([]uint32(nil), places+pad)
	index = index[:cap(index)]
	return index, uint16(len(index) - pad)
}

func tagOf(h uint64, depth uint8) uint32 { return uint32(h << depth >> 48) }

func unitOf(e uint32) uint16 { return uint16(e) }

func (p *page) home(tag uint32) int { return int(uint64(tag) * uint64(p.homes) >> 16) }

// find returns the place of key in the index, -1 if it isn't there.
func (p *page) find(tag uint32, key []byte) int {
	for i := p.home(tag); i < len(p.index); i++ {
		e := p.index[i]
		if e == 0 || e>>16 > tag {
			break
		}
		if e>>16 == tag && string(p.key(unitOf(e))) == string(key) {
			return i
		}
	}
	return -1
}

// insert puts the record at unit u, whose key is not in the index yet, in its place.
func (p *page) insert(seed, h uint64, key []byte, u uint16) {
	if p.count+1 > int32(p.homes-p.homes/8) {
		p.reindex()
	}
	tag := tagOf(h, p.depth)
	at := p.home(tag)
	for at < len(p.index) && p.index[at] != 0 && p.before(seed, p.index[at], tag, h, key) {
		at++
	}
	end := at
	for end < len(p.index) && p.index[end] != 0 {
		end++
	}
	if end == len(p.index) {
		p.index = append(p.index, 0)
	}
	copy(p.index[at+1:end+1], p.index[at:end])
	p.index[at] = tag<<16 | uint32(u)
	p.count++
}

// before reports whether entry e comes before the given key in (hash, key) order.
func (p *page) before(seed uint64, e, tag uint32, h uint64, key []byte) bool {
	if e>>16 != tag {
		return e>>16 < tag
	}
	other := p.key(unitOf(e))
	if oh := xxh3.HashSeed(other, seed); oh != h {
		return oh < h
	}
	return bytes.Compare(other, key) < 0
}

// remove takes entry i out: what was displaced by it moves up.
func (p *page) remove(i int) {
	for ; i+1 < len(p.index); i++ {
		next := p.index[i+1]
		if next == 0 || p.home(next>>16) == i+1 {
			break
		}
		p.index[i] = next
	}
	p.index[i] = 0
	p.count--
}

// reindex gives the index the size for its entries and one more.
func (p *page) reindex() {
	old := p.index
	p.index, p.homes = newIndex(int(p.count) + 1)
	last := -1
	for _, e := range old {
		if e != 0 {
			last = p.place(last, e)
		}
	}
}

// place puts an entry that comes after all others in the index and returns where; last is the previous one's place.
func (p *page) place(last int, e uint32) int {
	at := max(last+1, p.home(e>>16))
	if at == len(p.index) {
		p.index = append(p.index, 0)
	}
	p.index[at] = e
	return at
}

// alloc reserves size bytes, for which extend made room.
func (p *page) alloc(size int) uint16 {
	u := uint16(p.used / unit)
	p.used += int32(size)
	p.live += int32(size)
	p.cell(u).setExtent(size)
	return u
}

// retire makes the record at u dead.
func (p *page) retire(u uint16) {
	c := p.cell(u)
	p.live -= int32(c.extent())
	p.dead += int32(c.extent())
	if c.outboard() {
		p.blobs[c.blob()] = blob{gen: uint64(p.freeBlobs)}
		p.freeBlobs = uint32(c.blob()) + 1
	}
}

// trim gives up what the record at u doesn't need of its extent.
func (p *page) trim(u uint16, size int) {
	c := p.cell(u)
	spare := int32(c.extent() - size)
	p.live -= spare
	p.dead += spare
	c.setExtent(size)
}

// addBlob stores b and returns its number.
func (p *page) addBlob(b blob) uint32 {
	if p.freeBlobs == 0 {
		p.blobs = append(p.blobs, b)
		return uint32(len(p.blobs) - 1)
	}
	n := p.freeBlobs - 1
	p.freeBlobs = uint32(p.blobs[n].gen)
	p.blobs[n] = b
	return n
}

// clone copies p for a table that shares it with a View. Slabs and blobs stay shared: see unlend.
func (p *page) clone(gen uint64) *page {
	c := *p
	c.gen = gen
	c.index = slices.Clone(p.index)
	c.far = slices.Clone(p.far)
	c.lent = ^uint32(0)
	c.due = slices.Clone(p.due)
	c.blobs = slices.Clone(p.blobs)
	return &c
}

// slabOf returns the frame in which the slab begins that frame i belongs to.
func (p *page) slabOf(i int) int {
	for from, slab := range p.slabs {
		if i < from+framesOf(slab) {
			return from
		}
	}
	panic("table: a record is in no slab")
}

// physical is the memory p holds in bytes, blobs included.
func (p *page) physical() int64 {
	n := int64(pageSize) + 4*int64(cap(p.index)) + sliceHeader*int64(cap(p.far)) + 2*int64(cap(p.due)) + blobHeader*int64(cap(p.blobs))
	for _, slab := range p.slabs {
		n += int64(cap(slab))
	}
	for i := range p.blobs {
		n += int64(cap(p.blobs[i].data))
	}
	return n
}
