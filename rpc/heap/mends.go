package heap

const (
	// mendRest is how many looks after a mend the next one comes at least. One looks at all of the heap, and each 2 MiB that are huge
	// already take 7 µs.
	mendRest = 5
	// leastMend and mendShare say how much memory must have been returned or taken back to be worth it: so many bytes, and this part of
	// what is alive.
	leastMend = 4 << 20
	mendShare = 128
)

// mend is a wish for huge pages.
type mend struct {
	// spare is how many bytes there may be in memory beyond mapped, Go's memory as Go knows it.
	spare, mapped uint64
}

// torn has a message for HugePages if memory was returned and the server works again.
var torn = make(chan mend, 1)

// mends decides when huge pages are made again. Memory that was returned has made small pages of the rest around it, and what was
// needed since came in small pages.
type mends struct {
	// released is how much was returned at the last look, changed by how much that went up and down since the last mend.
	released, changed uint64
	// rest is how many looks must pass before the next mend.
	rest int
}

// note looks at what was returned since the last look.
func (m *mends) note(s sample) {
	m.rest = max(m.rest-1, 0)
	m.changed += max(s.released, m.released) - min(s.released, m.released)
	m.released = s.released
}

// due reports whether it is time for a mend on a server that works. One that is quiet waits: it has returned its memory just now.
func (m *mends) due(live uint64) bool {
	if m.rest > 0 || m.changed < max(live/mendShare, leastMend) {
		return false
	}
	m.changed, m.rest = 0, mendRest
	return true
}
