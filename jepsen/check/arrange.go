package check

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/jepsen/history"
)

// arrange numbers the reads of a register, or of keys that are written together, among the writes, where the log knows their places: no two writes write the same, so a
// read of a value comes behind its write and before the next. Reads of one value may change places, so if any of their orders can
// be, that of their calls can. What has a place then has one order, and nothing of it is left to search.
func arrange(ops []history.Op) []history.Op {
	ops = slices.Clone(ops)
	place := map[string]int{} // of the write of a value
	for _, op := range ops {
		if v, ok := writes(op); ok && op.Place > 0 {
			place[v] = op.Place
		}
	}
	type seat struct{ behind, op int }
	var seats []seat
	for i, op := range ops {
		switch {
		case op.Place > 0:
			seats = append(seats, seat{op.Place, i})
		default:
			if p := place[saw(op)]; p > 0 {
				seats = append(seats, seat{p, i})
			}
		}
	}
	slices.SortStableFunc(seats, func(a, b seat) int {
		x, y := &ops[a.op], &ops[b.op]
		return cmp.Or(cmp.Compare(a.behind, b.behind), cmp.Compare(min(1, y.Place), min(1, x.Place)), cmp.Compare(x.Call, y.Call))
	})
	for i, s := range seats {
		ops[s.op].Place = i + 1
	}
	return ops
}

// writes is the value that an operation leaves in a register.
func writes(op history.Op) (value string, ok bool) {
	switch op.Kind {
	case "set", "getset", "mset":
		return op.Args[0], true
	case "cas":
		return op.Args[1], true
	}
	return "", false
}

// saw is the value that a read told of, "" if it told of none or of several.
func saw(op history.Op) string {
	if !reads[op.Kind] || op.Outcome != history.Applied || len(op.Reply) == 0 {
		return ""
	}
	for _, r := range op.Reply {
		if r == nil || *r != *op.Reply[0] {
			return ""
		}
	}
	return *op.Reply[0]
}
