package heap

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// fakeHeap is a heap whose pages are at 0, 1, 2, up to size.
type fakeHeap struct {
	size uintptr
	// empty pieces have nothing in them, some have so many bytes of fakePage, busy ones can't be collapsed now.
	empty, busy map[uintptr]bool
	some        map[uintptr]uintptr
	collapsed   []uintptr
	tries       int
	err         error
	// process is the memory that it has, more than the pages if some of it is not known to Go.
	process uint64
	// takes is what it takes to collapse a piece, thread what that took in all, and others what everything else did.
	takes, thread, others time.Duration
	// told has each piece that was collapsed, if it is not nil.
	told chan uintptr
}

func (h *fakeHeap) grown(end uintptr) (pieces []uintptr, now uintptr, err error) {
	if h.err != nil {
		return nil, 0, h.err
	}
	for ; end < h.size; end++ {
		pieces = append(pieces, end)
	}
	return pieces, end, nil
}

const fakePage = 100

func (h *fakeHeap) pageSize() uintptr { return fakePage }

func (h *fakeHeap) held(piece uintptr) uintptr {
	if n, ok := h.some[piece]; ok || h.empty[piece] {
		return n
	}
	return fakePage
}

func (h *fakeHeap) collapse(piece uintptr) (again bool) {
	h.tries++
	if h.busy[piece] {
		return true
	}
	h.collapsed = append(h.collapsed, piece)
	if h.told != nil {
		h.told <- piece
	}
	h.thread += h.takes
	return false
}

func (h *fakeHeap) used() time.Duration  { return h.others + h.thread }
func (h *fakeHeap) spent() time.Duration { return h.thread }

func (h *fakeHeap) resident() uint64 { return h.process }

// looking returns pages of h and a look that fails the test unless these pieces, in this order, were collapsed by then.
func looking(t *testing.T, h *fakeHeap) func(want ...uintptr) {
	p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour}
	return func(want ...uintptr) {
		t.Helper()
		p.look(uint64(h.size))
		if !slices.Equal(h.collapsed, want) {
			t.Fatalf("collapsed %v, want %v", h.collapsed, want)
		}
	}
}

func TestWhatTheHeapGrowsByIsCollapsedOnceItIsUsed(t *testing.T) {
	h := &fakeHeap{size: 2, empty: map[uintptr]bool{1: true, 2: true}}
	look := looking(t, h)
	look(0)
	look(0)
	h.empty[1] = false
	look(0, 1)
	h.size = 4
	look(0, 1, 3)
	h.empty[2] = false
	look(0, 1, 3, 2)
	look(0, 1, 3, 2)
}

func TestABusyPieceIsTriedAgain(t *testing.T) {
	h := &fakeHeap{size: 2, busy: map[uintptr]bool{0: true}}
	look := looking(t, h)
	look(1)
	look(1)
	h.busy[0] = false
	look(1, 0)
	h.size, h.busy[2], h.tries = 3, true, 0
	for range 2 * mostTries {
		look(1, 0)
	}
	if h.tries != mostTries {
		t.Errorf("tried a piece that is always busy %d times, want %d", h.tries, mostTries)
	}
}

func TestALookDoesNotTakeLong(t *testing.T) {
	h := &fakeHeap{size: 3*mostPieces + 1, empty: map[uintptr]bool{}}
	for i := range h.size {
		h.empty[i] = i < mostPieces // they must not keep the others from their turn
	}
	p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour}
	for i, want := range []int{0, mostPieces, 2 * mostPieces, 2*mostPieces + 1} {
		p.look(uint64(h.size))
		if len(h.collapsed) != want {
			t.Fatalf("%d pieces after %d looks, want %d", len(h.collapsed), i+1, want)
		}
	}
}

func TestAGrowingHeapIsLookedAtOften(t *testing.T) {
	p := &pages{heap: &fakeHeap{}, log: slog.New(slog.DiscardHandler), slice: time.Hour}
	for range growing {
		if again := p.look(4 * mb); again != often {
			t.Errorf("looks again after %v at a heap that grows", again)
		}
	}
	if again := p.look(4 * mb); again != seldom {
		t.Errorf("looks again after %v at one that does not", again)
	}
}

func TestWhatCouldNotBeSeenIsSeenLater(t *testing.T) {
	h := &fakeHeap{size: 2, err: errors.New("too many open files")}
	look := looking(t, h)
	look()
	h.err = nil
	look(0, 1)
}

func TestAMendMakesHugePagesOfWhatIsMostlyFull(t *testing.T) {
	h := &fakeHeap{size: 6, some: map[uintptr]uintptr{0: 60, 1: 90, 2: 40, 3: 0, 5: 70}}
	p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour}
	want := func(want ...uintptr) {
		t.Helper()
		h.collapsed = nil
		p.look(uint64(h.size))
		if !slices.Equal(h.collapsed, want) {
			t.Fatalf("collapsed %v, want %v", h.collapsed, want)
		}
	}
	want(0, 1, 2, 4, 5) // it has grown by them
	p.mend(mend{spare: 60, mapped: 400})
	want(0, 1, 4) // 2 holds too little, and 5 would be more than 10 bytes
	want()
	h.process = 430
	p.mend(mend{spare: 60, mapped: 400})
	want(1, 4) // of 60 bytes, 30 were added before
	h.process = 500
	p.mend(mend{spare: 60, mapped: 400})
	want(4)
	p.mend(mend{spare: 1000, mapped: 400})
	h.some[1] = 0 // returned meanwhile
	want(0, 4, 5)
	h.some[3] = 1
	want(3) // still as if it had grown by it
	h.busy = map[uintptr]bool{4: true}
	p.mend(mend{})
	want()
	h.busy[4] = false
	want(4)
	want()
}

func TestAMendTakesItsTime(t *testing.T) {
	h := &fakeHeap{size: 3}
	p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour, size: 3, end: 3}
	p.mend(mend{})
	p.goOn(time.Now())
	if len(h.collapsed) > 0 {
		t.Fatalf("collapsed %v when the time was over", h.collapsed)
	}
	p.torn = p.torn[:2]
	if again := p.look(3); again != seldom || !slices.Equal(h.collapsed, []uintptr{0, 1}) {
		t.Errorf("collapsed %v, looks again after %v", h.collapsed, again)
	}
	p.torn, h.err = []uintptr{2}, errors.New("too many open files")
	p.mend(mend{})
	if p.look(3); !slices.Equal(h.collapsed, []uintptr{0, 1, 2}) {
		t.Errorf("collapsed %v when no more can be seen", h.collapsed)
	}
}

func TestAMendIsAskedFor(t *testing.T) {
	h := &fakeHeap{size: 3, told: make(chan uintptr, 3)}
	p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour, size: 1 << 62, end: 3}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.run(ctx) }()
	mend{spare: 1 << 62}.ask() // another test's wish goes
	for i := range uintptr(3) {
		if at := <-h.told; at != i {
			t.Errorf("collapsed %d, want %d", at, i)
		}
	}
	cancel()
	<-ended
}

// looks has p look for that long, at the times that it says, while the process works for one in share of the time. It returns how many pages were made.
func looks(p *pages, h *fakeHeap, so time.Duration, share int) int {
	before := len(h.collapsed)
	for end := time.Now().Add(so); time.Now().Before(end); {
		next := p.look(uint64(h.size))
		time.Sleep(next)
		h.others += next / time.Duration(share)
	}
	return len(h.collapsed) - before
}

// A page that was dear waits until the server has little to do, or for so long that it does not matter.
func TestDearPagesWaitForQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes, works, rests = 4 * dearTime, littleShare / 2, 2 * littleShare
		h := &fakeHeap{size: 100, takes: takes, others: time.Minute}
		p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour, at: time.Now(), used: time.Minute}
		if made := looks(p, h, dearRest*takes, works); made != 2 {
			t.Errorf("made %d dear pages on a server at work, want 2 until it is sure", made)
		}
		if made := looks(p, h, 2*dearRest*takes, works); made != 2 {
			t.Errorf("made %d dear pages on a server at work that had waited, want 2", made)
		}
		looks(p, h, 3*seldom, rests) // finds that it is quiet
		if made := looks(p, h, 9*often, rests); made != 9 {
			t.Errorf("made %d dear pages on a quiet server in %v, want one for each %v", made, 9*often, often)
		}
		looks(p, h, 2*judged, works) // finds that it is not
		if made := looks(p, h, seldom, works); made != 0 {
			t.Errorf("made %d dear pages on a server that had been quiet", made)
		}
		h.takes = dearTime / 10
		looks(p, h, dearRest*takes+seldom, works)
		if left := int(h.size) - len(h.collapsed); left > 0 {
			t.Errorf("%d pages that are cheap were left after a pause", left)
		}
	})
}

// Two dear pages are two in a row also if some between them were huge already, but not with a cheap one between them.
func TestTwoDearPagesMakeAPause(t *testing.T) {
	for between, want := range map[time.Duration]bool{hugeTime: true, dearTime: false} {
		h := &fakeHeap{}
		p := &pages{heap: h}
		for i, takes := range []time.Duration{2 * dearTime, between, 2 * dearTime} {
			h.takes = takes
			p.huge(uintptr(i))
		}
		if paused := !p.pause.IsZero(); paused != want {
			t.Errorf("a pause after two dear pages with one of %v between them: %v", between, paused)
		}
	}
}

// Five million keys took 131 bytes each instead of 128 when pieces that had waited were filled up.
func TestDearPagesAreNotFilledUp(t *testing.T) {
	h := &fakeHeap{size: 3, takes: 2 * dearTime, some: map[uintptr]uintptr{0: 1, 1: 89, 2: 90}}
	p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour, at: time.Now()}
	p.look(uint64(h.size))
	p.pause = time.Time{}
	if p.look(uint64(h.size)); !slices.Equal(h.collapsed, []uintptr{0, 2}) {
		t.Errorf("collapsed %v, want one before it is known that pages are dear, and the one that is nearly full", h.collapsed)
	}
}

// In a large heap pages are worth it.
func TestLargeHeapsDoNotWait(t *testing.T) {
	h := &fakeHeap{size: 8, takes: 2 * dearTime}
	p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour, at: time.Now()}
	p.look(large - 1)
	if len(h.collapsed) != 2 {
		t.Errorf("made %d dear pages in a heap that is not large, want 2", len(h.collapsed))
	}
	h.size, p.pause = 16, time.Time{}
	p.look(large)
	if len(h.collapsed) != 16 {
		t.Errorf("made %d dear pages in all, want 16", len(h.collapsed))
	}
}

// What waits for quiet must not take back the memory that is returned then.
func TestAReturnEndsTheWait(t *testing.T) {
	h := &fakeHeap{size: 4, takes: 2 * dearTime, empty: map[uintptr]bool{3: true}}
	p := &pages{heap: h, log: slog.New(slog.DiscardHandler), slice: time.Hour, at: time.Now()}
	p.look(uint64(h.size))
	p.torn = []uintptr{2}
	p.mend(mend{forget: true})
	h.takes, p.pause = 0, time.Time{}
	h.empty[3] = false
	if p.look(uint64(h.size)); !slices.Equal(h.collapsed, []uintptr{0, 1, 3}) {
		t.Errorf("collapsed %v, want two that were dear, and the one that had nothing in it", h.collapsed)
	}
}
