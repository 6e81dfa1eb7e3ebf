package resp

// spares are things that are lent and given back. The one that came back last is lent first: it is still in the processor's caches.
type spares[T any] struct {
	list []T
	// fewest is how many there were at least since the last trim.
	fewest int
}

// take returns the zero value and false if there are none.
func (s *spares[T]) take() (t T, ok bool) {
	n := len(s.list) - 1
	if n < 0 {
		return t, false
	}
	t, s.list[n] = s.list[n], t
	s.list = s.list[:n]
	s.fewest = min(s.fewest, n)
	return t, true
}

func (s *spares[T]) give(t T) { s.list = append(s.list, t) }

// trim forgets those that nobody has needed since it was called last.
func (s *spares[T]) trim() {
	kept := copy(s.list, s.list[s.fewest:])
	clear(s.list[kept:])
	s.list = s.list[:kept]
	s.fewest = kept
}
