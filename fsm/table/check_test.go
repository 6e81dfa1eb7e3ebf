package table

import (
	"bytes"
	"fmt"
	"slices"
)

// verify checks every invariant of the layout that the comments of the package claim.
func (t *Table) verify() error {
	var count, volatile, queued int
	var deepest uint32
	var sum int64
	var lastHash uint64
	var lastKey []byte
	if t.dir != nil && len(t.dir) != 1<<t.depth {
		return fmt.Errorf("directory of %d pages at depth %d", len(t.dir), t.depth)
	}
	for i, p := range t.dir {
		if first := i >> (t.depth - p.depth) << (t.depth - p.depth); t.dir[first] != p {
			return fmt.Errorf("place %d of the directory differs from place %d", i, first)
		}
	}
	at := 0
	for p := range pages(t.dir, t.depth) {
		if err := p.verify(); err != nil {
			return fmt.Errorf("page at %d: %w", at, err)
		}
		for _, e := range p.index {
			if e == 0 {
				continue
			}
			r := p.record(unitOf(e))
			h := t.hash(r.Key)
			if e>>16 != tagOf(h, p.depth) || t.pageOf(h) != p {
				return fmt.Errorf("key %q is where its hash doesn't lead", r.Key)
			}
			if count > 0 && (h < lastHash || h == lastHash && bytes.Compare(lastKey, r.Key) >= 0) {
				return fmt.Errorf("key %q is out of order", r.Key)
			}
			lastHash, lastKey = h, r.Key
			count++
			sum += r.logical()
		}
		volatile += len(p.due)
		if p.depth == t.depth {
			deepest++
		}
		if (p.queued != 0) != (len(p.due) > 0) || p.queued != 0 && t.due[p.queued-1] != p {
			return fmt.Errorf("page at %d with %d deadlines is queued at %d", at, len(p.due), p.queued)
		}
		if p.queued != 0 {
			queued++
		}
		at += 1 << (t.depth - p.depth)
	}
	for i := range t.due {
		if i > 0 && (tableQueue{t}).less(i, (i-1)/2) {
			return fmt.Errorf("heap of pages is out of order at %d", i)
		}
	}
	if got, want := fmt.Sprint(t.count, t.volatile, t.deepest, len(t.due), t.bytes), fmt.Sprint(count, volatile, deepest, queued, sum); got != want {
		return fmt.Errorf("counters are %s, want %s", got, want)
	}
	return nil
}

func (p *page) verify() error {
	count, live, volatile := 0, 0, 0
	var blobs []int
	for i, e := range p.index {
		if e == 0 {
			continue
		}
		home := p.home(e >> 16)
		if home > i || slices.Contains(p.index[home:i], 0) {
			return fmt.Errorf("entry %d with home %d cannot be found", i, home)
		}
		c := p.cell(unitOf(e))
		if p.size(unitOf(e)) > c.extent() {
			return fmt.Errorf("record of %d bytes in %d", p.size(unitOf(e)), c.extent())
		}
		if c.outboard() {
			blobs = append(blobs, c.blob())
		}
		if c.volatile() {
			volatile++
			p.duePlace(unitOf(e))
		}
		count++
		live += c.extent()
	}
	for i := range p.due {
		if i > 0 && (pageQueue{p}).less(i, (i-1)/2) {
			return fmt.Errorf("heap of deadlines is out of order at %d", i)
		}
	}
	slices.Sort(blobs)
	inUse := 0
	for _, b := range p.blobs {
		if b.data != nil {
			inUse++
		}
	}
	if len(slices.Compact(blobs)) != inUse {
		return fmt.Errorf("%d records share %d blobs", len(blobs), inUse)
	}
	if count != int(p.count) || live != int(p.live) || volatile != len(p.due) {
		return fmt.Errorf("counters count %d live %d due %d, want %d %d %d", p.count, p.live, len(p.due), count, live, volatile)
	}
	slabs, size := 0, 0
	for i, slab := range p.slabs {
		if i*frameSize < size || len(slab) > maxSlab || i > int(p.tail) {
			return fmt.Errorf("slab of %d bytes in frame %d, after one that ends at %d", len(slab), i, size)
		}
		slabs, size = slabs+1, i*frameSize+len(slab)
	}
	if lost := p.used - p.live - p.dead - int32(min(slabs, 1)*slabStart); lost < 0 || int(lost) > slabs*(blobSize+maxInline) {
		return fmt.Errorf("%d bytes are lost at ends of %d slabs", lost, slabs)
	}
	if int(p.used) > size || p.used > 1<<16*unit || p.live > maxPage+2*maxInline || p.count > maxKeys {
		return fmt.Errorf("%d bytes used, %d alive, %d keys in %d slabs", p.used, p.live, p.count, slabs)
	}
	if p.dead > max(p.live, compactFrom)+2*maxInline {
		return fmt.Errorf("%d bytes are dead, %d alive", p.dead, p.live)
	}
	return nil
}
