package heap

const (
	// mendRest is how many looks lie between two mends at least. One looks at all of the heap, and each 2 MiB that are huge already
	// take 7 µs.
	mendRest = 5
	// leastMend and mendShare say by how much the returned memory must have changed to be worth it: so many bytes, and this part of what
	// is alive.
	leastMend = 4 << 20
	mendShare = 128
)

// mends decides when to make huge pages again of what mostly holds something. Memory that was returned has made small pages of the rest
// around it, and if it was needed since, it came in small pages.
type mends struct {
	// released is how much was returned at the last mend, rest how many looks must pass before the next.
	released uint64
	rest     int
}

// due reports whether it is time for a mend on a server that works. One that is quiet waits: huge pages take more memory, and it has
// returned its own just now.
func (m *mends) due(s sample) bool {
	m.rest = max(m.rest-1, 0)
	changed := max(s.released, m.released) - min(s.released, m.released)
	if m.rest > 0 || changed < max(s.live/mendShare, leastMend) {
		return false
	}
	m.released, m.rest = s.released, mendRest
	return true
}
