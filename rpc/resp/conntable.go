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
	// peak is the most there ever were (Redis has no such field; limits are chosen by it).
	peak int
}

// add numbers c and enters it, unless most are open already.
func (t *connTable) add(c *conn, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byID) >= most {
		return false
	}
	t.next++
	c.id = t.next
	t.byID[c.id] = c
	t.peak = max(t.peak, len(t.byID))
	return true
}

func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, c.id)
}

func (t *connTable) get(id int64) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

func (t *connTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
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
