package resp

import "testing"

// TestSpares: what came back last is lent first, and trim forgets what nobody has needed since it was called last, not more.
func TestSpares(t *testing.T) {
	var s spares[int]
	if _, ok := s.take(); ok {
		t.Error("something was lent that was never given")
	}
	for i := range 5 {
		s.give(i)
	}
	s.trim()
	for _, want := range []int{4, 3} {
		if got, ok := s.take(); got != want || !ok {
			t.Errorf("lent %d, %v, want %d", got, ok, want)
		}
	}
	s.give(3)
	s.give(4)
	s.trim() // three were not needed
	if len(s.list) != 2 || s.list[0] != 3 {
		t.Errorf("left: %v", s.list)
	}
	if s.trim(); len(s.list) != 0 {
		t.Errorf("left when none was needed: %v", s.list)
	}
}
