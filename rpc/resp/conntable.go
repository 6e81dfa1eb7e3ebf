package resp

import (
	"cmp"
	"slices"
	"sync"
)

// connTable is every open connection.
type connTable struct {
	mu   sync.Mutex
	byID map[int64]*conn
	next int64
	// places are those of byID and of connections that are being admitted.
	places int
	// peak is the most there ever were (Redis has no such field; limits are chosen by it).
	peak int
}

// reserve numbers c and keeps a place for it, unless most are taken.
func (t *connTable) reserve(c *conn, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.places >= most {
		return false
	}
	t.next++
	c.id = t.next
	t.places++
	t.peak = max(t.peak, t.places)
	return true
}

// add lets others find c, and kill it: it must have its driver.
func (t *connTable) add(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID[c.id] = c
}

func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, c.id)
	t.places--
}

func (t *connTable) get(id int64) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

func (t *connTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.places
}

// all lists the connections in the order of their ids.
func (t *connTable) all() []*conn {
	t.mu.Lock()
	out := make([]*conn, 0, len(t.byID))
	for _, c := range t.byID {
		out = append(out, c)
	}
	t.mu.Unlock()
	slices.SortFunc(out, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (t *connTable) each(do func(*conn)) {
	for _, c := range t.all() {
		do(c)
	}
}
