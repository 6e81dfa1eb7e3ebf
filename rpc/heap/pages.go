package heap

import (
	"log/slog"
	"runtime/metrics"
	"slices"
	"time"
)

const (
	// seldom is the time between two looks at whether the heap has grown, often the time for the next growing looks after it has.
	seldom  = 100 * time.Millisecond
	often   = 10 * time.Millisecond
	growing = 50
	// mostPieces bounds what is done in one look, of some 0.2 ms each.
	mostPieces = 32
)

// pages makes huge pages of what the heap grows by, as soon as something is in it (MADV_COLLAPSE, Linux 6.1). Whoever writes
// to a fresh page waits for it, and until a few collections have passed a server under load does so all the time. On bare metal
// a page of 4 KiB takes below a microsecond; in a virtual machine with shadow page tables it took 50 µs, which was a third of
// the CPU time of three nodes that filled their logs.
//
// Not MADV_HUGEPAGE: it lasts. What is returned to the system later would come back, since the system fills up a huge page
// of which a part is gone (https://go.dev/issue/64332); faults would wait for memory to be compacted, for which Go gave it
// up (https://go.dev/issue/61718); and where Go has mapped memory before it was asked for, each 4 MiB stay a mapping of their own.
//
// An administrator who wants no huge pages writes never to transparent_hugepage/enabled, or sets GODEBUG=disablethp=1.
type pages struct {
	// size is the most that the heap was seen to have, returned memory included.
	size uint64
	// soon is how many looks are still to come often.
	soon int
	heap mapped
	// pieces are the addresses, of one huge page each, that had nothing in them so far; end is where the heap ended.
	pieces []uintptr
	end    uintptr
}

// mapped is the memory of the heap.
type mapped interface {
	// grown returns what was mapped behind end and where that ends now, in whole huge pages.
	grown(end uintptr) (pieces []uintptr, now uintptr, err error)
	// used reports whether something is in a piece.
	used(piece uintptr) bool
	// collapse makes one page of a piece; if it can't, it stays as it is.
	collapse(piece uintptr)
}

// look sees the heap's size and returns the time until the next look.
func (p *pages) look(size uint64) time.Duration {
	if size > p.size {
		p.size, p.soon = size, growing
		p.note()
	}
	p.collapse()
	if p.soon == 0 {
		return seldom
	}
	p.soon--
	return often
}

// note adds what the heap has grown by. What can't be seen now is seen when it grows again.
func (p *pages) note() {
	pieces, end, err := p.heap.grown(p.end)
	if err != nil {
		slog.Debug("nothing is known of the heap's memory", "error", err)
		return
	}
	p.pieces, p.end = append(p.pieces, pieces...), end
}

func (p *pages) collapse() {
	done := 0
	p.pieces = slices.DeleteFunc(p.pieces, func(piece uintptr) bool {
		if done == mostPieces || !p.heap.used(piece) {
			return false
		}
		done++
		p.heap.collapse(piece)
		return true
	})
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
