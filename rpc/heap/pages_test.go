package heap

import (
	"errors"
	"slices"
	"testing"
)

// fakeHeap is a heap that begins at 0 and has pages of one byte.
type fakeHeap struct {
	size      uintptr
	filled    map[uintptr]bool
	collapsed []uintptr
	err       error
}

func (h *fakeHeap) grown(end uintptr) (pieces []uintptr, now uintptr, err error) {
	for ; end < h.size; end++ {
		pieces = append(pieces, end)
	}
	return pieces, end, h.err
}

func (h *fakeHeap) used(piece uintptr) bool { return h.filled[piece] }

func (h *fakeHeap) collapse(piece uintptr) { h.collapsed = append(h.collapsed, piece) }

func TestWhatTheHeapGrowsByIsCollapsedOnceItIsUsed(t *testing.T) {
	h := &fakeHeap{size: 2, filled: map[uintptr]bool{0: true}}
	p := &pages{heap: h}
	want := func(pieces ...uintptr) {
		t.Helper()
		p.look(uint64(h.size))
		if !slices.Equal(h.collapsed, pieces) {
			t.Fatalf("collapsed %v, want %v", h.collapsed, pieces)
		}
	}
	want(0)
	want(0)
	h.filled[1] = true
	want(0, 1)
	h.size = 4
	h.filled[3] = true
	want(0, 1, 3)
	h.filled[2] = true
	want(0, 1, 3, 2)
}

func TestALookDoesNotTakeLong(t *testing.T) {
	h := &fakeHeap{size: 3*mostPieces + 1, filled: map[uintptr]bool{}}
	for i := range h.size {
		h.filled[i] = true
	}
	p := &pages{heap: h}
	for i := range 4 {
		p.look(uint64(h.size))
		if want := min((i+1)*mostPieces, int(h.size)); len(h.collapsed) != want {
			t.Fatalf("%d pieces after %d looks, want %d", len(h.collapsed), i+1, want)
		}
	}
}

func TestAGrowingHeapIsLookedAtOften(t *testing.T) {
	p := &pages{heap: &fakeHeap{}}
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
	h := &fakeHeap{size: 2, filled: map[uintptr]bool{0: true, 1: true, 2: true}, err: errors.New("too many open files")}
	p := &pages{heap: h}
	p.look(2)
	h.err, h.size = nil, 3
	if p.look(3); len(h.collapsed) != 3 {
		t.Errorf("collapsed %v of 3", h.collapsed)
	}
}
