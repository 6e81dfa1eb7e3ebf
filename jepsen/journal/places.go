package journal

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/history"
)

// order sorts places of one log.
func order(a, b Position) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Op, b.Op))
}

// place is where a token's write took effect, or where it stands without effect.
func (s *Story) place(tokens []string) (at Position, found bool) {
	for _, token := range tokens {
		for _, p := range s.Of[token] {
			if !found || p.Applied && !at.Applied {
				at, found = p, true
			}
		}
	}
	return at, found
}

// twice finds a token that took effect at two places.
func (s *Story) twice() (token string, at []Position) {
	for token, all := range s.Of {
		at = slices.DeleteFunc(slices.Clone(all), func(p Position) bool { return !p.Applied })
		if len(slices.CompactFunc(slices.SortedFunc(slices.Values(at), order), func(a, b Position) bool { return order(a, b) == 0 })) > 1 {
			return token, at
		}
	}
	return "", nil
}

// mark is what an operation says about a place in a log: its entry was not applied before call, and was by ret.
type mark struct {
	at        Position
	call, ret int64
	op        history.Op
}

// marks are those of all acknowledged operations, group by group in the order of the log. Of commands that look alike it is known only
// how many are called, and how many have returned, by a time: the first of them was called no sooner than the first of all
// operations that may be it, and so on.
func (s *Story) marks(ops []history.Op) map[slot.GroupID][]mark {
	out := map[slot.GroupID][]mark{}
	for _, op := range ops {
		if op.Outcome != history.Applied {
			continue
		}
		if at, found := s.place(tokensOf(op)); found && at.Applied {
			out[at.Group] = append(out[at.Group], mark{at, op.Call, op.Return, op})
		}
	}
	for _, c := range s.crowds(ops) {
		if len(c.at) == 0 || len(c.may) < len(c.at) {
			continue // Acknowledged and Issued have more to say
		}
		byCall := slices.SortedFunc(slices.Values(c.may), func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) })
		byEnd := slices.SortedFunc(slices.Values(c.may), func(a, b history.Op) int { return cmp.Compare(a.End(), b.End()) })
		late := byEnd[len(byEnd)-len(c.at):]
		for i, at := range c.at {
			out[at.Group] = append(out[at.Group], mark{at, byCall[i].Call, late[i].End(), late[i]})
		}
	}
	for _, all := range out {
		slices.SortStableFunc(all, func(a, b mark) int { return order(a.at, b.at) })
	}
	return out
}

// windows are marks with the latest call up to each, and the earliest return from it on: an entry comes after the calls of all
// that is before it in the log, and before the returns of all that is behind.
type windows map[slot.GroupID][]mark

func (s *Story) windows(ops []history.Op) windows {
	w := windows(s.marks(ops))
	for _, marks := range w {
		for i := 1; i < len(marks); i++ {
			marks[i].call = max(marks[i].call, marks[i-1].call)
		}
		for i := len(marks) - 2; i >= 0; i-- {
			marks[i].ret = min(marks[i].ret, marks[i+1].ret)
		}
	}
	return w
}

// since is a time at which the entry was not applied yet.
func (w windows) since(at Position) int64 {
	marks := w[at.Group]
	i, _ := slices.BinarySearchFunc(marks, at.Index+1, func(m mark, index uint64) int { return cmp.Compare(m.at.Index, index) })
	if i == 0 {
		return 0
	}
	return marks[i-1].call
}

// until is a time at which it was applied.
func (w windows) until(at Position) int64 {
	marks := w[at.Group]
	i, _ := slices.BinarySearchFunc(marks, at.Index, func(m mark, index uint64) int { return cmp.Compare(m.at.Index, index) })
	if i == len(marks) {
		return history.Forever
	}
	return marks[i].ret
}
