// Package leaders is the table that tells a node which node leads which group, also of groups it holds no replica of.
//
// It is a hint for routing and never decides anything: a wrong entry costs a client one more redirect. New leaders
// announce themselves to every node, and nodes exchange their tables about once a second, so that a lost
// announcement is made good. Merging is commutative and idempotent: the highest term wins.
package leaders

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/sealed"
	"github.com/quorate/quorate/placement/topology"
)

// Claim says that Node led Group in Term. Raft elects at most one leader per term, so a claim is never wrong, only old.
type Claim struct {
	Group slot.GroupID    `json:"group"`
	Term  uint64          `json:"term"`
	Node  topology.NodeID `json:"node"`
}

// Table holds the newest claim per group. The zero value is empty and ready. Reads take no lock.
type Table struct {
	write  sync.Mutex
	claims atomic.Pointer[claims]
}

// claims are a table's at one moment. They are immutable, and encoded at most once: in a cluster at rest every node is told the
// same every second by every other.
type claims struct {
	of      map[slot.GroupID]Claim
	encoded func() ([]byte, error)
}

func (t *Table) set(of map[slot.GroupID]Claim) {
	c := &claims{of: of}
	c.encoded = sync.OnceValues(func() ([]byte, error) { return Encode(c.sorted()) })
	t.claims.Store(c)
}

func (c *claims) sorted() []Claim {
	return slices.SortedFunc(maps.Values(c.of), func(a, b Claim) int { return cmp.Compare(a.Group, b.Group) })
}

// Leader returns the node that leads group as far as is known.
func (t *Table) Leader(group slot.GroupID) (Claim, bool) {
	if c := t.claims.Load(); c != nil {
		claim, ok := c.of[group]
		return claim, ok
	}
	return Claim{}, false
}

// All lists every claim, sorted by group.
func (t *Table) All() []Claim {
	if c := t.claims.Load(); c != nil {
		return c.sorted()
	}
	return nil
}

// Encoded is All for another node. The bytes must not be changed.
func (t *Table) Encoded() ([]byte, error) {
	if c := t.claims.Load(); c != nil {
		return c.encoded()
	}
	return Encode(nil)
}

// Says reports whether data is the table's own Encoded: whoever sent it knows nothing else.
func (t *Table) Says(data []byte) bool {
	own, err := t.Encoded()
	return err == nil && bytes.Equal(own, data)
}

// Merge takes the claims in that have a higher term than what is known and returns those, for gratuitous MOVED.
// Two nodes that claim one term of one group cannot both be right; the first heard stays and the error names both.
func (t *Table) Merge(told []Claim) (news []Claim, err error) {
	t.write.Lock()
	defer t.write.Unlock()
	next := map[slot.GroupID]Claim{}
	if old := t.claims.Load(); old != nil {
		next = maps.Clone(old.of)
	}
	for _, c := range told {
		old, known := next[c.Group]
		switch {
		case !known || c.Term > old.Term:
			next[c.Group] = c
			news = append(news, c)
		case c.Term == old.Term && c.Node != old.Node:
			err = fmt.Errorf("leaders: group %d, term %d: nodes %s and %s both claim it", c.Group, c.Term, old.Node, c.Node)
		}
	}
	if len(news) > 0 {
		t.set(next)
	}
	return news, err
}

// Retain forgets the groups that m does not have.
func (t *Table) Retain(m *topology.Map) {
	t.write.Lock()
	defer t.write.Unlock()
	old := t.claims.Load()
	if old == nil {
		return
	}
	next := maps.Clone(old.of)
	maps.DeleteFunc(next, func(id slot.GroupID, _ Claim) bool { return m.GroupByID(id) == nil })
	t.set(next)
}

// MaxEncoded bounds an encoded list of claims, in bytes: 16384 groups at about 100 bytes each.
const MaxEncoded = 2 << 20

// Encode writes claims for another node.
func Encode(claims []Claim) ([]byte, error) { return json.Marshal(claims) }

// Decode reads what Encode writes and checks every claim.
func Decode(data []byte) ([]Claim, error) {
	if len(data) > MaxEncoded {
		return nil, fmt.Errorf("leaders: %d bytes of claims: at most %d", len(data), MaxEncoded)
	}
	var claims []Claim
	if err := sealed.Decode(data, &claims); err != nil {
		return nil, fmt.Errorf("leaders: decode claims: %w", err)
	}
	for _, c := range claims {
		if c.Group == 0 || c.Term == 0 || !c.Node.Valid() {
			return nil, fmt.Errorf("leaders: claim {group %d, term %d, node %.40q}: want a group, a term and a node id", c.Group, c.Term, c.Node)
		}
	}
	return claims, nil
}
