package table

import "github.com/zeebo/xxh3"

// builder fills a new page with records that come in (hash, key) order.
type builder struct {
	*page
	last int // place of the last record
	left int // bytes that are expected to come
}

func build(depth uint8, gen uint64, count, size int) builder {
	return builder{newPage(depth, gen, count), -1, size}
}

// push copies the record at unit u of src, without its room for growth. A blob goes over by reference: src must be
// left alone afterwards, unless it is shared and stays as it is.
func (b *builder) push(tag uint32, src *page, u uint16) {
	size := src.size(u)
	b.left -= size
	b.extend(size, max(b.left, 0))
	nu := b.alloc(size)
	c := b.cell(nu)
	copy(c[:size], src.cell(u)[:size])
	c.setExtent(size)
	if c.outboard() {
		le.PutUint32(c[restAt:], b.addBlob(src.blobs[c.blob()]))
	}
	if c.volatile() {
		b.due = append(b.due, nu)
	}
	b.last = b.place(b.last, tag<<16|uint32(nu))
	b.count++
}

func (b *builder) done() *page {
	b.heapify()
	return b.page
}

// reserve makes the next alloc of need bytes possible. If an eighth of the page is dead it is compacted first, which makes
// copying a constant cost per byte written.
func (p *page) reserve(need int) {
	if p.fits(need) {
		return
	}
	if p.dead > max(p.live/8, compactFrom) {
		p.compact(need)
	}
	p.extend(need, leastSpare)
}

// leastSpare is for how many more bytes a slab grows at least; newSlab rounds up.
const leastSpare = 64

// compactFrom is how many dead bytes are worth compacting a page for.
const compactFrom = 256

// compact rewrites p without dead space, with room for need more bytes. O(maxPage).
func (p *page) compact(need int) {
	b := build(p.depth, p.gen, int(p.count), int(p.live)+need)
	for _, e := range p.index {
		if e != 0 {
			b.push(e>>16, p, unitOf(e))
		}
	}
	q := b.done()
	q.queued = p.queued
	*p = *q
}

// tidy compacts a page that is more dead than alive; that is also when its index shrinks.
func (p *page) tidy() {
	if p.dead > max(p.live, compactFrom) {
		p.compact(0)
	}
}

// split replaces p, the page of h, by two, and returns the one of h.
func (t *Table) split(p *page, h uint64) *page {
	if p.depth == maxDepth {
		panic("table: a page of colliding hashes is full: the hash seed is known to somebody who should not know it")
	}
	if p.depth == t.depth {
		t.double()
	}
	var count, size [2]int
	for _, e := range p.index {
		if e != 0 {
			count[e>>31]++
			size[e>>31] += p.size(unitOf(e))
		}
	}
	depth := p.depth + 1
	var half [2]builder
	for i := range half {
		half[i] = build(depth, t.gen, count[i], size[i])
	}
	for _, e := range p.index {
		if e != 0 {
			u := unitOf(e)
			half[e>>31].push(tagOf(xxh3.HashSeed(p.key(u), t.seed), depth), p, u)
		}
	}
	t.dequeue(p)
	bit := uint64(1) << (64 - depth)
	t.place(h&^bit, half[0].done())
	t.place(h|bit, half[1].done())
	if depth == t.depth {
		t.deepest += 2
	}
	return t.pageOf(h)
}

// merge joins p, the page of h, with its sibling as long as both are small.
func (t *Table) merge(p *page, h uint64) {
	for p.depth > 0 && p.live < mergeBelow {
		bit := uint64(1) << (64 - p.depth)
		q := t.pageOf(h ^ bit)
		if q.depth != p.depth || p.live+q.live > mergeBelow || p.count+q.count > maxKeys/2 {
			return
		}
		low, high := p, q
		if h&bit != 0 {
			low, high = q, p
		}
		b := build(p.depth-1, t.gen, int(p.count+q.count), int(p.live+q.live))
		for i, half := range []*page{low, high} {
			for _, e := range half.index {
				if e != 0 {
					b.push(uint32(i)<<15|e>>17, half, unitOf(e))
				}
			}
			t.dequeue(half)
		}
		if p.depth == t.depth {
			t.deepest -= 2
		}
		p = b.done()
		t.place(h, p)
		if t.deepest == 0 {
			t.halve()
		}
	}
}

// double makes the directory twice as long: 8 bytes for each page, 64 KiB at 10 million small keys.
func (t *Table) double() {
	dir := t.newDir(t.depth + 1)
	for i, p := range t.dir {
		dir[2*i], dir[2*i+1] = p, p
	}
	t.setDir(dir, t.depth+1)
}

// halve makes the directory as short as its deepest page allows.
func (t *Table) halve() {
	var deepest uint8
	for _, p := range t.dir {
		deepest = max(deepest, p.depth)
	}
	step := 1 << (t.depth - deepest)
	dir := t.newDir(deepest)
	for i := range dir {
		dir[i] = t.dir[i*step]
	}
	t.setDir(dir, deepest)
}

// newDir makes a directory for a depth, which setDir installs once it is filled.
func (t *Table) newDir(depth uint8) []*page {
	if depth == 0 {
		return t.one[:]
	}
	return make([]*page, 1<<depth)
}

// setDir installs a directory of 1<<depth pages that nobody shares.
func (t *Table) setDir(dir []*page, depth uint8) {
	if depth > 0 {
		t.one[0] = nil
	}
	t.dir, t.dirGen, t.depth, t.deepest = dir, t.gen, depth, 0
	for _, p := range dir {
		if p.depth == depth {
			t.deepest++
		}
	}
}

// place makes p, whose depth says how many, the page of all hashes with h's prefix.
func (t *Table) place(h uint64, p *page) {
	if t.depth > 0 && t.shared(t.dirGen) {
		t.dir, t.dirGen = append([]*page(nil), t.dir...), t.gen
	}
	wide := t.depth - p.depth
	first := h >> (64 - p.depth) << wide
	for i := range uint64(1) << wide {
		t.dir[first+i] = p
	}
	t.requeue(p)
}
