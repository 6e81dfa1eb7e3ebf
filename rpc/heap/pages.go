package heap

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

const (
	// seldom is the time between two looks at whether the heap has grown, often the time for the next growing looks after it has.
	seldom  = 250 * time.Millisecond
	often   = 10 * time.Millisecond
	growing = 50
	// mostPieces bounds what one look deals with, and mostTime the time that it takes: the system may have to move memory.
	mostPieces = 64
	mostTime   = 5 * time.Millisecond
	// mostTries is how often a piece is tried that can't be collapsed at the moment.
	mostTries = 5
	// fullShare says which pieces a mend is for: of which at least this part is in memory.
	fullShare = 2
)

// mend has a message for HugePages if memory was returned and somebody works again: how many bytes may be added to fill pieces.
var mend = make(chan uint64, 1)

// HugePages makes huge pages of what the heap grows by, as soon as something is in it (MADV_COLLAPSE, Linux 6.1), until ctx ends.
// Whoever writes to a fresh page waits for it, and until a few collections have passed a server under load does so all the time. In
// a virtual machine with shadow page tables a page of 4 KiB took 50 µs, which was a third of the CPU time of three nodes that filled
// their logs.
//
// Not MADV_HUGEPAGE: it lasts. What is returned to the system later would come back, since the system fills up a huge page
// of which a part is gone (https://go.dev/issue/64332); faults would wait for memory to be compacted, for which Go gave it
// up (https://go.dev/issue/61718), as it did this call (https://go.dev/issue/63334): but here only this goroutine waits. And where Go has
// mapped memory before it was asked for, each 4 MiB stay a mapping of their own.
//
// When a part of a huge page is returned, the rest is small pages from then on, as is what was returned and is needed again: after
// three nodes with a million keys each had rested, and given back a tenth of their memory, of which 30 of 200 MiB were still huge, a
// SET took 15 µs of CPU time instead of 4. So as soon as there is work again, what is mostly in memory is made huge once more.
//
// An administrator who wants no huge pages writes never to transparent_hugepage/enabled, or sets GODEBUG=disablethp=1.
func HugePages(ctx context.Context, log *slog.Logger) {
	heap, err := newHeap()
	if err != nil {
		log.Debug("the heap gets no huge pages", "error", err)
		return
	}
	p := pages{heap: heap, log: log}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(p.look(heapSize()))
		case spare := <-mend:
			p.mend(spare)
			timer.Reset(0)
		case <-ctx.Done():
			return
		}
	}
}

// pages knows which parts of the heap are still to be huge pages.
type pages struct {
	heap mapped
	log  *slog.Logger
	// size is the most that the heap was seen to have, returned memory included; end is where it ended then.
	size uint64
	end  uintptr
	// soon is how many looks are still to come often.
	soon int
	// pieces had nothing in them so far, or could not be collapsed yet.
	pieces []piece
}

// piece is the memory of one huge page.
type piece struct {
	at    uintptr
	tries int
}

// mapped is the memory of the heap.
type mapped interface {
	// grown returns the pieces that were mapped behind end, and where the last one ends.
	grown(end uintptr) (pieces []uintptr, now uintptr, err error)
	// pageSize is how many bytes a piece has, held how many of them are in memory.
	pageSize() uintptr
	held(piece uintptr) uintptr
	// collapse makes one page of a piece, and reports whether it is worth another try if it could not.
	collapse(piece uintptr) (again bool)
}

// look sees the heap's size and returns the time until the next look.
func (p *pages) look(size uint64) time.Duration {
	if size > p.size {
		p.note(size)
	}
	p.collapse()
	if p.soon == 0 {
		return seldom
	}
	p.soon--
	return often
}

// note adds what the heap has grown by.
func (p *pages) note(size uint64) {
	grown, end, err := p.heap.grown(p.end)
	if err != nil {
		p.log.Debug("nothing is known of the heap's memory", "error", err)
		return
	}
	for _, at := range grown {
		p.pieces = append(p.pieces, piece{at: at})
	}
	p.size, p.end, p.soon = size, end, growing
}

// mend looks at all of the heap, some of which was returned. It puts before all others what is mostly in memory, the fullest first, as
// long as filling it takes no more than spare bytes. What has nothing in it is as if the heap had grown by it.
func (p *pages) mend(spare uint64) {
	all, _, err := p.heap.grown(0)
	if err != nil {
		p.log.Debug("nothing is known of the heap's memory", "error", err)
		return
	}
	waiting := make(map[uintptr]bool, len(p.pieces))
	for _, one := range p.pieces {
		waiting[one.at] = true
	}
	type lacking struct {
		piece
		bytes uint64
	}
	size := p.heap.pageSize()
	var full []lacking
	var rest []piece
	for i, at := range all {
		if i%mostPieces == mostPieces-1 {
			runtime.Gosched()
		}
		switch held := p.heap.held(at); {
		case held >= size/fullShare:
			full = append(full, lacking{piece{at: at}, uint64(size - held)})
		case held == 0 || waiting[at]:
			rest = append(rest, piece{at: at})
		}
	}
	slices.SortStableFunc(full, func(a, b lacking) int { return cmp.Compare(a.bytes, b.bytes) })
	p.pieces, p.soon = nil, growing
	for _, one := range full {
		if spare < one.bytes {
			break
		}
		spare -= one.bytes
		p.pieces = append(p.pieces, one.piece)
	}
	p.pieces = append(p.pieces, rest...)
}

// collapse takes the first pieces; those that are not done with come behind the others.
func (p *pages) collapse() {
	start := time.Now()
	for range min(len(p.pieces), mostPieces) {
		first := p.pieces[0]
		p.pieces = p.pieces[1:]
		if p.heap.held(first.at) > 0 {
			if first.tries++; !p.heap.collapse(first.at) || first.tries == mostTries {
				continue
			}
		}
		p.pieces = append(p.pieces, first)
		if time.Since(start) > mostTime {
			return
		}
	}
}

// heapSize is how many bytes of addresses the heap has, but for those that a collection works with at the moment.
func heapSize() (n uint64) {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	for _, one := range s {
		n += one.Value.Uint64()
	}
	return n
}
