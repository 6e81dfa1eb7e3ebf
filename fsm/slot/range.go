package slot

import (
	"fmt"
	"strconv"
	"strings"
)

// Range is the slots First to Last, both included.
type Range struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

// Valid reports whether r names at least one slot and no slot past Count-1.
func (r Range) Valid() bool { return r.First <= r.Last && r.Last < Count }

// Len is the number of slots in r.
func (r Range) Len() int { return int(r.Last) - int(r.First) + 1 }

// String gives "7" for one slot and "0-5460" for more, as CLUSTER NODES prints them.
func (r Range) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// ParseRange reads what String writes.
func ParseRange(s string) (Range, error) {
	first, last, both := strings.Cut(s, "-")
	if !both {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	r := Range{First: uint16(a), Last: uint16(b)}
	if errA != nil || errB != nil || !r.Valid() {
		return Range{}, fmt.Errorf("slot range %q: want N or N-M within 0-%d", s, Count-1)
	}
	return r, nil
}

// Set is a set of slots. The zero value is empty.
type Set [Count / 64]uint64

// Add puts every slot of r into s. r must be Valid.
func (s *Set) Add(r Range) {
	for n := int(r.First); n <= int(r.Last); n++ {
		s[n/64] |= 1 << (n % 64)
	}
}

// Has reports whether n is in s.
func (s *Set) Has(n uint16) bool { return s[n/64]&(1<<(n%64)) != 0 }

// Ranges lists s as sorted, disjoint, maximal ranges.
func (s *Set) Ranges() []Range {
	var out []Range
	for n := 0; n < Count; n++ {
		if !s.Has(uint16(n)) {
			continue
		}
		if k := len(out); k > 0 && int(out[k-1].Last) == n-1 {
			out[k-1].Last = uint16(n)
		} else {
			out = append(out, Range{First: uint16(n), Last: uint16(n)})
		}
	}
	return out
}
