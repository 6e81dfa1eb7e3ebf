package peer

import (
	"sync"

	"github.com/quorate/quorate/placement/topology"
)

// book is the address book. A node has up to two addresses: the one it said in its last handshake and the one that
// the map has. Either may be the stale one, so diallers try them in turn.
type book struct {
	mu      sync.Mutex
	entries map[topology.NodeID]*entry
}

type entry struct {
	seen, told string
	// preferred is the address that was last reached.
	preferred string
}

// set stores an address as seen (in a handshake) or told (by the map), and says whether it is news.
func (b *book) set(id topology.NodeID, addr string, seen bool) bool {
	if addr == "" {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	if e == nil {
		e = &entry{}
		b.entries[id] = e
	}
	field := &e.told
	if seen {
		field = &e.seen
	}
	news := *field != addr
	*field = addr
	if news {
		e.preferred = addr
	}
	return news
}

// addr returns the address for the given number of failed attempts in a row, "" if none is known.
func (b *book) addr(id topology.NodeID, failures int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	if e == nil {
		return ""
	}
	if failures%2 == 0 {
		return e.preferred
	}
	for _, other := range []string{e.seen, e.told} {
		if other != "" && other != e.preferred {
			return other
		}
	}
	return e.preferred
}

// reached notes that the node answers at addr.
func (b *book) reached(id topology.NodeID, addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[id]; e != nil && (addr == e.seen || addr == e.told) {
		e.preferred = addr
	}
}
