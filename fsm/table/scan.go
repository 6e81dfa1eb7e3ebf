package table

import (
	"iter"
	"math/bits"
	"runtime"
)

// CursorBits is how many low bits of a Scan cursor are used; the caller may put a slot number above them.
const CursorBits = 48

// Scan calls fn for about count records (at least one, if any is left) from cursor on and returns the cursor to
// go on from, 0 when all is done. A cursor is 0 to start with and always less than 1<<CursorBits; any such number
// is a valid one.
//
// A cursor is a prefix of the hash, and records are visited in hash order, so it means the same after growth,
// shrinking, compaction, snapshot and restore, and on another replica: all keys whose hash is less have been
// visited. So a key that is present during the whole scan is visited at least once, whatever happens to others.
// A key may be visited twice if pages merge in between: a merged page knows one hash bit less, and a scan goes on from the
// first record that agrees with the cursor in the bits that are known.
func (t *Table) Scan(cursor uint64, count int, fn func(Record)) (next uint64) {
	if t.dir == nil {
		return 0
	}
	h, n := cursor<<(64-CursorBits), 0
	for {
		p := t.pageOf(h)
		from, last := tagOf(h, p.depth), uint32(0)
		for _, e := range p.index[p.home(from):] {
			tag := e >> 16
			if e == 0 || tag < from {
				continue
			}
			if n >= max(count, 1) && tag != last {
				return (p.prefix(h) | uint64(tag)<<(48-p.depth)) >> (64 - CursorBits)
			}
			fn(p.record(unitOf(e)))
			n, last = n+1, tag
		}
		h = p.prefix(h) + 1<<(64-p.depth) // 1<<64 is 0: the only page is also the last one
		if h == 0 || n >= max(count, 1) {
			return h >> (64 - CursorBits)
		}
	}
}

// prefix is the bits of h that all hashes of p have in common.
func (p *page) prefix(h uint64) uint64 { return h >> (64 - p.depth) << (64 - p.depth) }

// pages yields each page of a directory once.
func pages(dir []*page, depth uint8) iter.Seq[*page] {
	return func(yield func(*page) bool) {
		for i := 0; i < len(dir); i += 1 << (depth - dir[i].depth) {
			if !yield(dir[i]) {
				return
			}
		}
	}
}

// records yields all records of a directory. In order of hashes they are all over a page's slabs, so some are fetched at a time (see Fetch).
func records(dir []*page, depth uint8) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for p := range pages(dir, depth) {
			sum := uint32(0) // so that no read is optimised away
			for i, e := range p.index {
				if i%fetched == 0 {
					sum += p.fetch(p.index[i:min(i+fetched, len(p.index))])
				}
				if e != 0 && !yield(p.record(unitOf(e))) {
					return
				}
			}
			runtime.KeepAlive(sum)
		}
	}
}

// fetched is how many places of an index are fetched at a time: three quarters of them have records.
const fetched = 32

// fetch brings the records of some places of the index into the processor's caches.
func (p *page) fetch(index []uint32) (sum uint32) {
	for _, e := range index {
		if e != 0 {
			sum += uint32(p.cell(unitOf(e)).extent())
		}
	}
	for _, e := range index {
		if e != 0 {
			sum += p.cell(unitOf(e)).glance()
		}
	}
	return sum
}

// Sample calls fn for n keys chosen near-uniformly with replacement, from the random number rnd. Nothing is
// called if the table is empty. O(n) expected.
//
// A page is chosen by a random hash, which is fair as far as the hash is: pages with half the share of hashes have half the keys,
// give or take a root. Within a page all keys have the same chance.
func (t *Table) Sample(rnd uint64, n int, fn func(Record)) {
	if t.count == 0 {
		return
	}
	for range n {
		fn(t.draw(&rnd))
	}
}

// draw picks a random record of a table that is not empty. Places of the index are tried until one is taken: most are, and
// after deletions, at least as many as half of the page's bytes are alive for.
func (t *Table) draw(rnd *uint64) Record {
	for {
		p := t.pageOf(random(rnd))
		if p.count == 0 {
			continue
		}
		for {
			if e := p.index[below(rnd, len(p.index))]; e != 0 {
				return p.record(unitOf(e))
			}
		}
	}
}

// SampleVolatile is Sample among the keys that have a deadline. If pages without any are common, the others have equal
// chances, however many such keys they hold.
func (t *Table) SampleVolatile(rnd uint64, n int, fn func(Record)) {
	if t.volatile == 0 {
		return
	}
	for range n {
		p := t.pageOf(random(&rnd))
		for tries := 0; len(p.due) == 0; tries++ {
			if p = t.pageOf(random(&rnd)); tries == 8 {
				p = t.due[below(&rnd, len(t.due))]
			}
		}
		fn(p.record(p.due[below(&rnd, len(p.due))]))
	}
}

// random is the splitmix64 sequence.
func random(s *uint64) uint64 {
	*s += 0x9e3779b97f4a7c15
	z := *s
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a random number less than n.
func below(s *uint64, n int) int {
	hi, _ := bits.Mul64(random(s), uint64(n))
	return int(hi)
}
