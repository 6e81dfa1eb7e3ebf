package table

import "slices"

// The records of a page are in slabs, which units count through. A slab begins at a multiple of frameSize and is as long
// as one frame or, with larger records, a few; but for the last, which grows up to that. What does not fit into it
// begins another. Four of a frame become one: a collection by Go's runtime marks and sweeps each slab, which took 0.32 s of
// CPU time for 20 million keys, and takes 0.11 since.
//
// A slab of one frame leaves no holes in Go's heap when it goes, as smaller ones do that share a span, and its end that is
// too short for the next record is 3 % of it at most. Records of more than smallRecord would lose too much there: theirs
// go on through maxFrames, of which they lose 6 % at most (maxInline).
const (
	frameSize   = 8 << 10
	frameUnits  = frameSize / unit
	smallRecord = frameSize / 32
	maxFrames   = 4
	maxSlab     = maxFrames * frameSize
	// slabStart skips unit 0, so that no index entry is 0.
	slabStart = unit
)

// frames are where slabs begin and, in a slab's later frames, go on: each holds the rest of its slab. Those of a page
// that is not half full are near: one cache miss less.
type frames struct {
	near [5][]byte
	far  [][]byte
}

func (f *frames) frame(i int) []byte {
	if i < len(f.near) {
		return f.near[i]
	}
	return f.far[i-len(f.near)]
}

// setFrame replaces frame i or adds it, the next one then.
func (f *frames) setFrame(i int, b []byte) {
	switch far := i - len(f.near); {
	case far < 0:
		f.near[i] = b
	case far < len(f.far):
		f.far[far] = b
	default:
		f.far = append(f.far, b)
	}
}

// setSlab replaces the slab that begins in frame i by one that is nobody else's, or adds one.
func (p *page) setSlab(i int, slab []byte) {
	for ; ; i, slab = i+1, slab[frameSize:] {
		p.setFrame(i, slab)
		p.lent &^= 1 << i
		if len(slab) <= frameSize {
			return
		}
	}
}

// slabs yields the slabs and the frames in which they begin.
func (p *page) slabs(yield func(int, []byte) bool) {
	if p.used == 0 {
		return
	}
	for i := 0; i <= int(p.tail); {
		slab := p.frame(i)
		if !yield(i, slab) {
			return
		}
		i += framesOf(slab)
	}
}

func framesOf(slab []byte) int { return (len(slab) + frameSize - 1) / frameSize }

// cell returns the record at unit u.
func (p *page) cell(u uint16) cell { return p.frame(int(u / frameUnits))[u%frameUnits*unit:] }

// tailUsed is how many bytes of the last slab are used.
func (p *page) tailUsed() int { return int(p.used) - int(p.tail)*frameSize }

// fits reports whether the next alloc of need bytes is possible.
func (p *page) fits(need int) bool {
	return p.used > 0 && p.tailUsed()+need <= len(p.frame(int(p.tail)))
}

// extend makes the next alloc of need bytes possible, and others of more bytes together as far as the slab goes.
func (p *page) extend(need, more int) {
	if p.fits(need) {
		return
	}
	at, used := int(p.tail), p.tailUsed()
	begun, most := frameSize, frameSize // the last slab's bound and a new one's
	if need > smallRecord || need+more >= maxSlab {
		begun, most = maxSlab, maxSlab
	} else if used > frameSize {
		begun = maxSlab
	}
	switch {
	case p.used == 0:
		p.used = slabStart
		p.setSlab(0, newSlab(min(slabStart+need+more, most)))
	case used+need <= begun:
		grown := newSlab(min(used+need+more, begun))
		copy(grown, p.frame(at)[:used])
		p.setSlab(at, grown)
	default:
		at += framesOf(p.frame(at))
		p.join(at)
		p.tail, p.used = uint8(at), int32(at*frameSize)
		p.setSlab(at, newSlab(min(need+more, most)))
	}
}

// join makes one slab of the last maxFrames ones, which end at frame end, if each is a frame.
func (p *page) join(end int) {
	row := 0
	for _, slab := range p.slabs {
		if row++; len(slab) > frameSize {
			row = 0
		}
	}
	if row < maxFrames {
		return
	}
	from, joined := end-maxFrames, newSlab(maxSlab)
	for i := range maxFrames {
		copy(joined[i*frameSize:], p.frame(from+i))
	}
	p.setSlab(from, joined)
}

// newSlab allocates at least n bytes. Go aligns them for the atomic access fields.
func newSlab(n int) []byte {
	s := slices.Grow([]byte(nil), roomy(n))
	return s[:cap(s)]
}

// roomy rounds a size up to one of few size classes of Go's allocator. In each class that growing slabs leave,
// they leave holes: with all classes in use, holes would be an eighth of the memory.
func roomy(n int) int {
	step := 1
	switch {
	case n > 16<<10:
		step = 8 << 10
	case n > 8<<10:
		step = 4 << 10
	case n > 4<<10:
		step = 2 << 10
	case n > 1<<10:
		step = 1 << 10
	}
	return (n + step - 1) &^ (step - 1)
}
