package heap

const (
	// mendRest is how many looks after a mend the next one comes at least. One looks at all of the heap: to collapse 2 MiB that are huge
	// already took 3 to 5 µs, others 300.
	mendRest = 5
	// leastMend and mendShare say how much memory must have been returned or needed again to be worth it: so many bytes, and this part of
	// what is alive. Smaller changes from look to look don't count: Go takes the 4 MiB by which the heap grows for returned until they
	// are used.
	leastMend = 4 << 20
	mendShare = 128
)

// mend is a wish for huge pages.
type mend struct {
	// spare is how many bytes there may be in memory beyond mapped, Go's memory as Go knows it.
	spare, mapped uint64
	// forget is no wish for huge pages: memory is about to be returned, and what still waits to be made huge is given up until the next mend.
	forget bool
}

// wishes has the newest one.
var wishes = make(chan mend, 1)

// ask replaces a wish that nobody has seen yet: HugePages is at work, or not there.
func (m mend) ask() {
	select {
	case <-wishes:
	default:
	}
	select {
	case wishes <- m:
	default: // somebody else's is as new
	}
}

// mends decides when huge pages are made again. Memory that was returned has made small pages of the rest around it, and what was
// needed since came in small pages.
type mends struct {
	// released is how much was returned at the last look, changed by how much that went up and down since the last mend. Both are
	// nothing before the first look.
	released, changed uint64
	looked            bool
	// owed: something was given up.
	owed bool
	// rest is how many looks must pass before the next mend.
	rest int
}

// note looks at what was returned since the last look.
func (m *mends) note(s sample) {
	m.rest = max(m.rest-1, 0)
	if by := max(s.released, m.released) - min(s.released, m.released); by > leastMend && m.looked {
		m.changed += by
	}
	m.released, m.looked = s.released, true
}

// due reports whether it is time for a mend on a server that works. One that is quiet has returned its memory just now.
func (m *mends) due(live uint64) bool {
	if m.rest > 0 || !m.owed && m.changed <= max(live/mendShare, leastMend) {
		return false
	}
	m.changed, m.owed, m.rest = 0, false, mendRest
	return true
}
