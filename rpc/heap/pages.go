package heap

import (
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
	// mostPieces bounds how many grown pieces one look deals with, and mostTime the time that it takes: the system may have to move memory.
	mostPieces = 64
	mostTime   = 5 * time.Millisecond
	// mostTries is how often a piece is tried that can't be collapsed at the moment.
	mostTries = 5
	// fullShare says what a mend is for: pieces of which this part is in memory at least.
	fullShare = 2
	// dearTime is the CPU time from which on a huge page is dear. After the second dear one there is a pause of dearRest times as long.
	// What takes hugeTime or less was huge already, or can't be.
	dearTime = time.Millisecond
	dearRest = 2000
	hugeTime = 20 * time.Microsecond
	// dearShare is for pieces that have waited: all of it but this part must be in memory.
	dearShare = 10
	// large is from which size on a heap does not wait for dear pages. With one million keys, in a quarter of that, neither SETs nor GETs
	// were cheaper with huge pages, with ten million GETs were.
	large = 1 << 30
	// littleShare says what a server does at most that is quiet enough for dear pages: this part of a processor, in each of two times of
	// judged or more. By the figures in README.md, one of three that answer 5,000 GETs a second does a 26th, one that nobody asks, of 3
	// groups, a 133rd, and of 100 a 42nd.
	littleShare = 32
	judged      = 50 * time.Millisecond
)

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
// three nodes with a million keys each had rested, and given back a quarter of their memory, 8 to 32 of the 200 MiB left were still huge, and
// a SET took 21 µs of CPU time instead of 5. So as soon as there is work again, what is mostly in memory is made huge once more (mend).
// Go does not know of the memory that this takes back, and can't return it before it has used it, so it is bounded.
//
// Where a virtual machine's host finds memory only when it is written to, a page of 4 KiB at a time, a huge page of memory that
// it has not found yet takes 4.4 ms instead of 0.12, in which the processor does nothing else; for a small page that would be a
// hundredth of a millisecond. With small ones the 99th percentile of 5,000 SETs a second was 2.1 ms instead of 6.0, and a
// server in its first seconds took 12.0 µs for a SET instead of 14.7. So where pages are dear they are made while the server is quiet, else one
// every nine seconds or so, until the heap is large: among ten million keys a GET costs a seventh less with them, and among twenty
// million a SET a fifth.
//
// An administrator who wants no huge pages writes never to transparent_hugepage/enabled, or sets GODEBUG=disablethp=1.
func HugePages(ctx context.Context, log *slog.Logger) {
	heap, err := newHeap()
	if err != nil {
		log.Debug("the heap gets no huge pages", "error", err)
		return
	}
	p := pages{heap: heap, log: log, slice: mostTime, at: time.Now(), used: heap.used()}
	p.run(ctx)
}

// run looks at the heap and mends until ctx ends.
func (p *pages) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(p.look(heapSize()))
		case m := <-wishes:
			p.mend(m)
			timer.Reset(0)
		case <-ctx.Done():
			return
		}
	}
}

// pages knows which parts of the heap are still to be huge pages.
type pages struct {
	heap memory
	log  *slog.Logger
	// slice is the time that a look may take.
	slice time.Duration
	// size is the most that the heap was seen to have, returned memory included; end is where it ended then.
	size uint64
	end  uintptr
	// soon is how many looks are still to come often.
	soon int
	// dear: the last page was. pause is until when a server that is not quiet gets no more.
	dear  bool
	pause time.Time
	// quiet is what was found at the moment at, when the process had used so much CPU time; little is what was found of the time just before.
	// own is what looks have taken since.
	quiet     bool
	little    bool
	at        time.Time
	used, own time.Duration
	// pieces had nothing in them so far, or could not be collapsed yet.
	pieces []piece
	// torn are those that a mend has still to look at, room is how many bytes it may add.
	torn []uintptr
	room uint64
}

// piece is the memory of one huge page.
type piece struct {
	at    uintptr
	tries int
}

// memory is that of the heap.
type memory interface {
	// grown returns the pieces that were mapped behind end, and where the last one ends.
	grown(end uintptr) (pieces []uintptr, now uintptr, err error)
	// pageSize is how many bytes a piece has, held how many of them are in memory.
	pageSize() uintptr
	held(piece uintptr) uintptr
	// resident is how much memory the process has, that of files aside.
	resident() uint64
	// collapse makes one page of a piece, and reports whether it is worth another try if it could not.
	collapse(piece uintptr) (again bool)
	// used is the CPU time of the process, spent that of this thread.
	used() time.Duration
	spent() time.Duration
}

// look sees the heap's size and returns the time until the next look.
func (p *pages) look(size uint64) time.Duration {
	runtime.LockOSThread() // whose time is taken
	defer runtime.UnlockOSThread()
	began := p.heap.spent()
	defer func() { p.own += p.heap.spent() - began }()
	now := time.Now()
	if p.judge(now); p.quiet {
		p.pause = time.Time{}
	}
	if size > p.size {
		p.note(size)
	}
	end := now.Add(p.slice)
	p.collapse(end)
	p.goOn(end)
	switch paused := p.pause.After(now); {
	case paused && !p.quiet:
		return seldom
	case paused, len(p.torn) > 0:
		return often
	case p.soon == 0:
		return seldom
	}
	p.soon--
	return often
}

// judge finds out whether the process did next to nothing lately, looks aside.
func (p *pages) judge(now time.Time) {
	in := now.Sub(p.at)
	if in < judged {
		return
	}
	used := p.heap.used()
	little := used-p.used-p.own < in/littleShare
	p.quiet, p.little = little && p.little, little
	p.at, p.used, p.own = now, used, 0
}

// mayGoOn reports whether a look that ends then may make one more page.
func (p *pages) mayGoOn(end time.Time) bool {
	now := time.Now()
	return now.Before(end) && !now.Before(p.pause)
}

// huge makes one page of a piece, and reports whether it is worth another try if it could not.
func (p *pages) huge(piece uintptr) (again bool) {
	began := p.heap.spent()
	again = p.heap.collapse(piece)
	switch took := p.heap.spent() - began; {
	case took > dearTime:
		if p.waits() { // a single one may have had to wait for something else
			p.pause = time.Now().Add(dearRest * took)
		}
		p.dear = true
	case took > hugeTime:
		p.dear = false
	}
	return again
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

// mend begins to look at all of the heap, of which some was returned. A mend that is under way ends.
func (p *pages) mend(m mend) {
	if m.forget {
		p.forget()
		return
	}
	all, _, err := p.heap.grown(0)
	if err != nil {
		p.log.Debug("nothing is known of the heap's memory", "error", err)
		return
	}
	// What earlier mends have added is in memory and not known to Go, unless it was needed since.
	unknown := max(p.heap.resident(), m.mapped) - m.mapped
	p.torn, p.room = all, m.spare-min(unknown, m.spare)
}

// forget gives up what was waiting for the server to be quiet: memory is about to be returned.
func (p *pages) forget() {
	p.torn = nil
	p.pieces = slices.DeleteFunc(p.pieces, func(one piece) bool { return p.heap.held(one.at) > 0 })
}

// goOn goes on with a mend until the time is over. A piece that is huge already lacks nothing, and costs next to nothing.
func (p *pages) goOn(end time.Time) {
	for len(p.torn) > 0 && p.mayGoOn(end) {
		at := p.torn[0]
		p.torn = p.torn[1:]
		size, held := p.heap.pageSize(), p.heap.held(at)
		lacks := uint64(size - held)
		if held < size/fullShare || lacks > p.room {
			continue
		}
		p.room -= lacks
		if p.huge(at) {
			p.pieces = append(p.pieces, piece{at: at, tries: 1})
		}
	}
}

// collapse takes the first pieces, until the time is over; those that are not done with come behind the others.
func (p *pages) collapse(end time.Time) {
	for range min(len(p.pieces), mostPieces) {
		if !p.mayGoOn(end) {
			return
		}
		first := p.pieces[0]
		p.pieces = p.pieces[1:]
		if p.worth(p.heap.held(first.at)) {
			if first.tries++; !p.huge(first.at) || first.tries == mostTries {
				continue
			}
		}
		p.pieces = append(p.pieces, first)
	}
}

// waits reports whether dear pages are waited with.
func (p *pages) waits() bool { return p.dear && p.size < large }

// worth reports whether to make a page of a piece that holds so much. One that has waited may have had parts returned since, and takes them back.
func (p *pages) worth(held uintptr) bool {
	if p.waits() {
		return held >= p.heap.pageSize()/dearShare*(dearShare-1)
	}
	return held > 0
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
