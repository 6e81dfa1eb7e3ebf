package journal

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/check"
)

// Committed are indexes up to which each group's entries are known to be applied on every replica.
type Committed map[slot.GroupID]uint64

// group is the part of a journal about one group.
type group struct {
	id      slot.GroupID
	spans   []Span
	entries []Entry
}

// groups splits the journal.
func (j *Journal) groups() (out []group) {
	for _, s := range j.Spans {
		if len(out) == 0 || out[len(out)-1].id != s.Group {
			out = append(out, group{id: s.Group})
		}
		g := &out[len(out)-1]
		g.spans = append(g.spans, s)
	}
	at := 0
	for i := range out {
		from := at
		for at < len(j.Entries) && j.Entries[at].Group == out[i].id {
			at++
		}
		out[i].entries = j.Entries[from:at]
	}
	return out
}

// Matching checks Raft's log matching: two logs with an entry of the same index and term are equal up to there. Terms never
// fall along a log, and what is committed is the same in every log that reaches it.
func (j *Journal) Matching(c Committed) check.Result {
	const name = "log matching"
	if len(j.Entries) == 0 {
		return check.Result{Checker: name, Text: "the logs are empty: nothing is proved"}
	}
	for _, g := range j.groups() {
		for _, err := range []error{g.whole(), g.terms(), g.matching(len(j.Nodes)), g.committed(c[g.id])} {
			if err != nil {
				return check.Result{Checker: name, Text: fmt.Sprintf("group %d: %v", g.id, err)}
			}
		}
	}
	return check.Result{Checker: name, OK: true, Text: fmt.Sprintf("%d entries in %d logs of %d nodes match", len(j.Entries), len(j.Spans), len(j.Nodes))}
}

// whole: a log has no holes.
func (g group) whole() error {
	for _, s := range g.spans {
		next := s.First
		for i := range g.entries {
			if e := &g.entries[i]; slices.Contains(e.Nodes, s.Node) {
				if e.Index != next {
					return fmt.Errorf("node %d has entry %d and then %d", s.Node+1, next-1, e.Index)
				}
				next++
			}
		}
		if next != s.Last+1 {
			return fmt.Errorf("node %d has entries up to %d of %d", s.Node+1, next-1, s.Last)
		}
	}
	return nil
}

func (g group) terms() error {
	last := map[int]uint64{}
	for i := range g.entries {
		e := &g.entries[i]
		for _, n := range e.Nodes {
			if e.Term < last[n] {
				return fmt.Errorf("node %d has entry %d of term %d after term %d", n+1, e.Index, e.Term, last[n])
			}
			last[n] = e.Term
		}
	}
	return nil
}

// matching compares each pair of logs: from the first difference on, no entry may be equal again, nor of the same term.
func (g group) matching(nodes int) error {
	for a := range nodes {
		for b := range a {
			differs := uint64(0)
			for i := 0; i < len(g.entries); {
				ea, eb, next := g.pair(i, a, b)
				i = next
				switch {
				case ea == nil || eb == nil:
				case ea != eb && ea.Term == eb.Term:
					return fmt.Errorf("entry %d of term %d is not the same on nodes %d and %d", ea.Index, ea.Term, b+1, a+1)
				case ea != eb:
					differs = ea.Index
				case differs > 0:
					return fmt.Errorf("nodes %d and %d have the same entry %d of term %d, but differ at %d", b+1, a+1, ea.Index, ea.Term, differs)
				}
			}
		}
	}
	return nil
}

// pair finds what nodes a and b have at the index of entry i, and the first entry of the next index.
func (g group) pair(i, a, b int) (ea, eb *Entry, next int) {
	index := g.entries[i].Index
	for ; i < len(g.entries) && g.entries[i].Index == index; i++ {
		e := &g.entries[i]
		if slices.Contains(e.Nodes, a) {
			ea = e
		}
		if slices.Contains(e.Nodes, b) {
			eb = e
		}
	}
	return ea, eb, i
}

func (g group) committed(upTo uint64) error {
	for i := 1; i < len(g.entries); i++ {
		a, b := &g.entries[i-1], &g.entries[i]
		if b.Index > upTo {
			break
		}
		if a.Index == b.Index {
			return fmt.Errorf("committed entry %d is one of term %d on nodes %v and one of term %d on nodes %v", a.Index, a.Term, plusOne(a.Nodes), b.Term, plusOne(b.Nodes))
		}
	}
	for _, s := range g.spans {
		// Where logs were cut, a snapshot may stand for the end of one, too.
		if s.Last < upTo && g.fromTheStart() {
			return fmt.Errorf("node %d has entries up to %d, %d were applied", s.Node+1, s.Last, upTo)
		}
	}
	return nil
}

// fromTheStart says that no log was cut behind a snapshot.
func (g group) fromTheStart() bool {
	return !slices.ContainsFunc(g.spans, func(s Span) bool { return s.First > 1 })
}

func plusOne(nodes []int) (out []int) {
	for _, n := range nodes {
		out = append(out, n+1)
	}
	return out
}
