package table

import "sync"

// Spares are slabs for the copies that writes make while a View shares what they change. Whoever reads the Views provides
// them, so that writers don't ask Go's allocator: behind a collection it sweeps up to a hundred slabs, all of them alive, for each
// one that it gives. Measured with 5 million keys: 25 µs per copy then, and up to 9 ms for an entry of 128 SETs.
//
// All methods may be called by any goroutine, and on a nil *Spares, which has none.
type Spares struct {
	mu      sync.Mutex
	shelves [maxFrames*frameSize/spareUnit + 1]shelf
	bytes   int
}

// shelf is the spares of one size.
type shelf struct {
	slabs [][]byte
	// asked is how many were asked for since the last Stock, and want how many the next one leaves here.
	asked, want int
}

const (
	// spareUnit divides the sizes of slabs that are worth keeping; see roomy.
	spareUnit = 1 << 10
	// spareMost bounds the bytes that are held, and spareStep those that one Stock adds, which take it some 50 µs.
	spareMost  = 16 << 20
	spareStep  = 128 << 10
	systemPage = 4 << 10
	// forgetful is the share of want by which a shelf that is not asked wants less with each Stock.
	forgetful = 64
)

func (s *Spares) shelf(size int) *shelf {
	if s == nil || size%spareUnit != 0 || size > maxFrames*frameSize {
		return nil
	}
	return &s.shelves[size/spareUnit]
}

// take returns a slab of that size with anything in it, nil if there is none.
func (s *Spares) take(size int) []byte {
	h := s.shelf(size)
	if h == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h.asked++
	last := len(h.slabs) - 1
	if last < 0 {
		return nil
	}
	slab := h.slabs[last]
	h.slabs[last] = nil
	h.slabs = h.slabs[:last]
	s.bytes -= size
	return slab
}

// give adds slabs that nobody uses any more, as far as there is room.
func (s *Spares) give(slabs [][]byte) {
	if s == nil || len(slabs) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slab := range slabs {
		h := s.shelf(len(slab))
		if h == nil || s.bytes+len(slab) > spareMost {
			continue
		}
		h.slabs = append(h.slabs, slab)
		s.bytes += len(slab)
	}
}

// Stock makes slabs, so that of each size there are twice as many as were asked for since the last Stock, or not long before,
// within bounds. It is to be called about once in a millisecond, by a goroutine that nobody waits for.
func (s *Spares) Stock() {
	var fresh [][]byte
	for _, size := range s.lacking() {
		slab := make([]byte, size)
		touch(slab)
		fresh = append(fresh, slab)
	}
	s.give(fresh)
}

// touch writes to each page of the system's memory under a slab. What Go gets from the system it knows to be zero and doesn't
// touch: whoever writes first waits for the memory, 1 µs per page and far more where a virtual machine's host has to find it.
func touch(slab []byte) {
	for i := 0; i < len(slab); i += systemPage {
		slab[i] = 0
	}
}

// lacking are the sizes of the slabs to be made.
func (s *Spares) lacking() (sizes []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	budget := min(spareStep, spareMost-s.bytes)
	for i := range s.shelves {
		h := &s.shelves[i]
		h.want = max(2*h.asked, h.want-(h.want+forgetful-1)/forgetful)
		h.asked = 0
		for size, n := i*spareUnit, h.want-len(h.slabs); n > 0 && size <= budget; n-- {
			sizes = append(sizes, size)
			budget -= size
		}
	}
	return sizes
}

// Drop forgets all slabs, but not how many were wanted.
func (s *Spares) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.shelves {
		s.shelves[i].slabs = nil
	}
	s.bytes = 0
}
