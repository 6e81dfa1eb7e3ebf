// Package leaders is the table that tells a node which node leads which group, also of groups it holds no replica of.
//
// It is a hint for routing and never decides anything: a wrong entry costs a client one more redirect. New leaders
// announce themselves to every node, and nodes exchange their tables about once a second, so that a lost
// announcement is made good. Merging is commutative and idempotent: the highest term wins.
package leaders

import (
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
	claims atomic.Pointer[map[slot.GroupID]Claim]
}

// Leader returns the node that leads group as far as is known.
func (t *Table) Leader(group slot.GroupID) (Claim, bool) {
	if m := t.claims.Load(); m != nil {
		c, ok := (*m)[group]
		return c, ok
	}
	return Claim{}, false
}

// All lists every claim, sorted by group: what is sent to other nodes.
func (t *Table) All() []Claim {
	m := t.claims.Load()
	if m == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(*m), func(a, b Claim) int { return cmp.Compare(a.Group, b.Group) })
}

// Merge takes the claims in that have a higher term than what is known and returns those, for gratuitous MOVED.
// Two nodes that claim one term of one group cannot both be right; the first heard stays and the error names both.
func (t *Table) Merge(claims []Claim) (news []Claim, err error) {
	t.write.Lock()
	defer t.write.Unlock()
	next := map[slot.GroupID]Claim{}
	if m := t.claims.Load(); m != nil {
		next = maps.Clone(*m)
	}
	for _, c := range claims {
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
		t.claims.Store(&next)
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
	next := maps.Clone(*old)
	maps.DeleteFunc(next, func(id slot.GroupID, _ Claim) bool { return m.GroupByID(id) == nil })
	t.claims.Store(&next)
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
