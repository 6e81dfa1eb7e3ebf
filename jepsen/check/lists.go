package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/jepsen/history"
)

// Separator ends every element of a list that is kept in one string.
const Separator = "."

// Lists checks transactions that append unique elements to, and read, lists of one slot (the idea of Elle, VLDB 2020: as a
// list shows the order of its writers, dependencies need no search). It finds elements that nobody or only a failed
// transaction wrote, elements twice, reads that are no prefix of a later one, lost appends, and cycles of dependencies
// and real time: the history is strictly serializable if there are none. An operation "txn" has arguments "append KEY ELEMENT"
// or "read KEY", and a reply to each; "final" reads only and comes last.
func Lists(ops []history.Op) Result {
	keys, of := byKey(ops)
	n := 0
	for _, key := range keys {
		g, err := dependencies(of[key])
		if err == nil {
			err = g.acyclic()
		}
		if err != nil {
			return violation("list-append", "%s: %v", key, err)
		}
		n += len(of[key])
	}
	return pass("list-append", "%d transactions on %d groups of lists are strictly serializable", n, len(keys))
}

// step is one command of a transaction.
type step struct {
	list    string
	element string   // appended; empty for a read
	seen    []string // read
}

func steps(op history.Op) (out []step) {
	for i, a := range op.Args {
		f := strings.Fields(a)
		s := step{list: f[1]}
		switch {
		case f[0] == "append":
			s.element = f[2]
		case op.Outcome != history.Applied:
			continue
		case op.Reply[i] != nil:
			s.seen = strings.Split(strings.TrimSuffix(*op.Reply[i], Separator), Separator)
		}
		out = append(out, s)
	}
	return out
}

// lists is what is known of one group of lists.
type lists struct {
	ops []history.Op
	// writer is the index in ops of each element's transaction.
	writer map[string]int
	// order is the longest read of each list.
	order map[string][]string
}

func dependencies(ops []history.Op) (*graph, error) {
	l := lists{ops: ops, writer: map[string]int{}, order: map[string][]string{}}
	for i, op := range ops {
		for _, s := range steps(op) {
			if s.element != "" {
				l.writer[s.element] = i
			} else if len(s.seen) > len(l.order[s.list]) {
				l.order[s.list] = s.seen
			}
		}
	}
	if err := l.genuine(); err != nil {
		return nil, err
	}
	if err := l.prefixes(); err != nil {
		return nil, err
	}
	return l.graph(), nil
}

// genuine checks that what was seen was written once, by a transaction that may have happened.
func (l lists) genuine() error {
	for list, order := range l.order {
		seen := map[string]bool{}
		for _, e := range order {
			w, known := l.writer[e]
			switch {
			case !known:
				return fmt.Errorf("list %s holds %q, which nobody appended", list, e)
			case seen[e]:
				return fmt.Errorf("list %s holds %q twice: a write was applied twice", list, e)
			case l.ops[w].Outcome == history.Failed:
				return fmt.Errorf("list %s holds %q of operation %d, which was said to have failed", list, e, l.ops[w].ID)
			}
			seen[e] = true
		}
	}
	return nil
}

// prefixes checks that lists only grow, and that after an append was acknowledged it is in every read.
func (l lists) prefixes() error {
	for _, op := range l.ops {
		for _, s := range steps(op) {
			if s.element != "" {
				if err := l.kept(op, s); err != nil {
					return err
				}
				continue
			}
			if order := l.order[s.list]; !slices.Equal(s.seen, order[:len(s.seen)]) {
				return fmt.Errorf("operation %d read %v of list %s, which is no prefix of %v", op.ID, s.seen, s.list, order)
			}
		}
	}
	return nil
}

func (l lists) kept(op history.Op, s step) error {
	if op.Outcome != history.Applied || slices.Contains(l.order[s.list], s.element) {
		return nil
	}
	for _, later := range l.ops {
		for _, r := range steps(later) {
			if later.Outcome == history.Applied && later.Call > op.Return && r.element == "" && r.list == s.list {
				return fmt.Errorf("operation %d appended %q to list %s and was acknowledged, operation %d did not see it: a write was lost", op.ID, s.element, s.list, later.ID)
			}
		}
	}
	return nil
}

func (l lists) graph() *graph {
	g := newGraph(l.ops)
	for _, order := range l.order {
		for i := 1; i < len(order); i++ {
			g.edge(l.writer[order[i-1]], l.writer[order[i]], "is overwritten by")
		}
	}
	for i, op := range l.ops {
		for _, s := range steps(op) {
			if s.element != "" {
				continue
			}
			if n := len(s.seen); n > 0 {
				g.edge(l.writer[s.seen[n-1]], i, "is read by")
			}
			if order := l.order[s.list]; len(s.seen) < len(order) {
				g.edge(i, l.writer[order[len(s.seen)]], "did not see")
			}
		}
	}
	return g
}
