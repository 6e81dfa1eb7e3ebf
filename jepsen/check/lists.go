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
// transaction wrote, elements twice, reads that are no prefix of a later one, lost appends and halves of transactions,
// transactions that do not see their own appends or that others come between, wrong lengths, and cycles of dependencies
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
	length  int64    // of the list behind it, in bytes, as an acknowledged append was told
	seen    []string // read
}

// steps are those of a transaction, none of another operation.
func steps(op history.Op) (out []step) {
	if op.Kind != "txn" && op.Kind != "final" {
		return nil
	}
	for i, a := range op.Args {
		f := strings.Fields(a)
		s := step{list: f[1]}
		switch {
		case f[0] == "append":
			s.element = f[2]
			if op.Outcome == history.Applied {
				s.length = number(op.Reply[i])
			}
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
	// writer is the index in ops of the transaction that appended an element to a list.
	writer map[entry]int
	// order is the longest read of each list, place where an element is in it.
	order map[string][]string
	place map[entry]int
}

// entry is an element of a list.
type entry struct{ list, element string }

func dependencies(ops []history.Op) (*graph, error) {
	l := lists{ops: ops, writer: map[entry]int{}, order: map[string][]string{}, place: map[entry]int{}}
	for i, op := range ops {
		for _, s := range steps(op) {
			if s.element != "" {
				l.writer[entry{s.list, s.element}] = i
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
	if err := l.inside(); err != nil {
		return nil, err
	}
	return l.graph(), nil
}

// genuine checks that what was seen was written once, by a transaction that may have happened.
func (l lists) genuine() error {
	for list, order := range l.order {
		for i, e := range order {
			w, known := l.writer[entry{list, e}]
			_, seen := l.place[entry{list, e}]
			switch {
			case !known:
				return fmt.Errorf("list %s holds %q, which nobody appended", list, e)
			case seen:
				return fmt.Errorf("list %s holds %q twice: a write was applied twice", list, e)
			case l.ops[w].Outcome == history.Failed:
				return fmt.Errorf("list %s holds %q of operation %d, which was said to have failed", list, e, l.ops[w].ID)
			}
			l.place[entry{list, e}] = i
		}
	}
	return nil
}

// prefixes checks that lists only grow, and that an append is in every read after it was acknowledged, or after another one of its
// transaction was seen.
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
	if _, there := l.place[entry{s.list, s.element}]; there || op.Outcome == history.Failed {
		return nil
	}
	done, by := op.Return, op
	if op.Outcome == history.Unknown {
		if done, by = l.shown(op); done == history.Forever {
			return nil
		}
	}
	for _, later := range l.ops {
		if later.Outcome != history.Applied || later.Call <= done && later.ID != by.ID || later.ID == op.ID {
			continue
		}
		for _, r := range steps(later) {
			switch {
			case r.element != "" || r.list != s.list:
			case op.Outcome == history.Applied:
				return fmt.Errorf("operation %d appended %q to list %s and was acknowledged, operation %d did not see it: a write was lost", op.ID, s.element, s.list, later.ID)
			default:
				return fmt.Errorf("operation %d saw one append of operation %d, operation %d did not see another one, %q to list %s: half of a transaction took effect", by.ID, op.ID, later.ID, s.element, s.list)
			}
		}
	}
	return nil
}

// shown is the first read to return that saw something of op.
func (l lists) shown(op history.Op) (at int64, by history.Op) {
	at = history.Forever
	for _, s := range steps(op) {
		place, there := l.place[entry{s.list, s.element}]
		if !there {
			continue
		}
		for _, reader := range l.ops {
			for _, r := range steps(reader) {
				if r.element == "" && r.list == s.list && len(r.seen) > place && reader.Return < at {
					at, by = reader.Return, reader
				}
			}
		}
	}
	return at, by
}

// inside checks each transaction by itself: nothing comes between its steps, its reads see its own appends before them and none behind
// them, and an append is told the length of the list.
func (l lists) inside() error {
	for _, op := range l.ops {
		if op.Outcome == history.Failed {
			continue
		}
		at := map[string]int{} // how many elements each list has, where it is known
		for _, s := range steps(op) {
			place, there := len(s.seen), true
			if s.element != "" {
				place, there = l.place[entry{s.list, s.element}]
			}
			switch before, known := at[s.list]; {
			case !there:
				delete(at, s.list)
				continue
			case known && place != before:
				return fmt.Errorf("operation %d (%s) found list %s with %d elements in one step and with %d in the next", op.ID, op, s.list, before, place)
			case s.element == "":
				at[s.list] = place
				continue
			}
			at[s.list] = place + 1
			if want := size(l.order[s.list][:place+1]); op.Outcome == history.Applied && s.length != want {
				return fmt.Errorf("operation %d appended %q to list %s and was told a length of %d, it is %d", op.ID, s.element, s.list, s.length, want)
			}
		}
	}
	return nil
}

// size is how long the string of a list is.
func size(elements []string) (n int64) {
	for _, e := range elements {
		n += int64(len(e) + len(Separator))
	}
	return n
}

func (l lists) graph() *graph {
	g := newGraph(l.ops)
	for list, order := range l.order {
		for i := 1; i < len(order); i++ {
			g.edge(l.writer[entry{list, order[i-1]}], l.writer[entry{list, order[i]}], "is overwritten by")
		}
	}
	for i, op := range l.ops {
		for _, s := range steps(op) {
			if s.element != "" {
				continue
			}
			if n := len(s.seen); n > 0 {
				g.edge(l.writer[entry{s.list, s.seen[n-1]}], i, "is read by")
			}
			if order := l.order[s.list]; len(s.seen) < len(order) {
				g.edge(i, l.writer[entry{s.list, order[len(s.seen)]}], "did not see")
			}
		}
	}
	return g
}
