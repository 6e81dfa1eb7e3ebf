package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/jepsen/history"
)

// graph holds what must come before what. Its first nodes are the operations, the others are moments: one after each
// return. An operation leads to the moment of its return, a moment to the next one and to the operations called before the
// next. So real time costs a few edges per operation and not one per pair.
type graph struct {
	ops []history.Op
	out [][]edge
}

type edge struct {
	to  int
	why string
}

func newGraph(ops []history.Op) *graph {
	g := &graph{ops: ops, out: make([][]edge, len(ops))}
	type event struct {
		at   int64
		ends bool
		op   int
	}
	var events []event
	for i, op := range ops {
		switch op.Outcome {
		case history.Failed:
			continue
		case history.Applied:
			events = append(events, event{op.Return, true, i})
		}
		events = append(events, event{op.Call, false, i})
	}
	// At the same ns calls come first: what only touches is concurrent.
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(order(a.ends), order(b.ends)))
	})
	moment := -1
	for _, e := range events {
		if !e.ends {
			g.edge(moment, e.op, "")
			continue
		}
		g.out = append(g.out, nil)
		next := len(g.out) - 1
		g.edge(moment, next, "")
		g.edge(e.op, next, "ended before")
		moment = next
	}
	return g
}

func order(ends bool) int {
	if ends {
		return 1
	}
	return 0
}

func (g *graph) edge(from, to int, why string) {
	if from >= 0 && from != to {
		g.out[from] = append(g.out[from], edge{to, why})
	}
}

// acyclic returns an error that tells a cycle, if there is one.
func (g *graph) acyclic() error {
	const (
		fresh = iota
		open
		closed
	)
	state := make([]int, len(g.out))
	var path []int
	var visit func(n int) []int
	visit = func(n int) []int {
		state[n] = open
		path = append(path, n)
		for _, e := range g.out[n] {
			if state[e.to] == open {
				return append(slices.Clone(path[slices.Index(path, e.to):]), e.to)
			}
			if state[e.to] == fresh {
				if cycle := visit(e.to); cycle != nil {
					return cycle
				}
			}
		}
		state[n] = closed
		path = path[:len(path)-1]
		return nil
	}
	for n := range g.out {
		if state[n] == fresh {
			if cycle := visit(n); cycle != nil {
				return fmt.Errorf("a cycle: %s", g.tell(cycle))
			}
		}
	}
	return nil
}

// tell writes a cycle as a sentence, without the moments.
func (g *graph) tell(cycle []int) string {
	var b strings.Builder
	for i, n := range cycle {
		if n < len(g.ops) {
			fmt.Fprintf(&b, "operation %d ", g.ops[n].ID)
		}
		if i+1 == len(cycle) {
			break
		}
		for _, e := range g.out[n] {
			if e.to == cycle[i+1] && e.why != "" {
				b.WriteString(e.why + " ")
				break
			}
		}
	}
	return strings.TrimSpace(b.String())
}
