package heap

import (
	"log/slog"
	"runtime/metrics"
	"time"
)

const (
	// seldom is the time between two looks at whether the heap has grown, often the time for the next growing looks after it has:
	// what it grows by between two looks is in small pages first. Go maps 4 MiB at a time.
	seldom  = 100 * time.Millisecond
	often   = 10 * time.Millisecond
	growing = 50
)

// pages has the system give the heap huge pages, of 2 MiB mostly, where it does so for those who ask (transparent_hugepage is
// madvise, or always). Whoever writes to a page first waits for it, and until a few collections have passed a server under load
// writes to fresh memory all the time. On bare metal a page of 4 KiB takes below a microsecond; in a virtual machine with shadow page
// tables it took 50, and three nodes that filled their logs paid a third of their CPU time for it. What the
// processor's translation of addresses reaches grows, too.
//
// A huge page is there as a whole, and the system puts those together again of which a part was returned
// (khugepaged). So nothing is asked for from when memory is returned until the server allocates again.
type pages struct {
	// size is what the heap had when it was last looked at, returned memory included: it never shrinks.
	size uint64
	// soon is how many looks are still to come often.
	soon int
	// asked says whether that much has been asked for.
	asked bool
	// advise asks for huge pages, or no longer does, for all that the heap has.
	advise func(huge bool) error
	// none: the system has no huge pages.
	none bool
}

// look sees the heap's size and returns the time until the next look.
func (p *pages) look(size uint64) time.Duration {
	if size > p.size {
		p.size, p.asked, p.soon = size, false, growing
		p.want(true)
	}
	if p.soon == 0 {
		return seldom
	}
	p.soon--
	return often
}

// want asks for huge pages or no longer does.
func (p *pages) want(huge bool) {
	if p.none || huge == p.asked {
		return
	}
	p.asked = huge
	if err := p.advise(huge); err != nil {
		p.none = true
		slog.Debug("the heap gets no huge pages", "error", err)
	}
}

// heapSize is how many bytes of addresses the heap has.
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
