package check

import (
	"strconv"
	"time"

	"github.com/quorate/quorate/jepsen/history"
)

// Counters is a number that is added to and read. An increment's reply is the sum after it.
func Counters() Model {
	return Model{Name: "counter", Init: int64(0), Step: func(state any, op history.Op) []any {
		n := state.(int64)
		if op.Kind == "incr" {
			by, _ := strconv.ParseInt(op.Args[0], 10, 64)
			n += by
		}
		if op.Outcome == history.Unknown || number(op.Reply[0]) == n {
			return []any{n}
		}
		return nil
	}}
}

// number is a counter's reply; a key that is not there counts 0.
func number(r *string) int64 {
	if r == nil {
		return 0
	}
	n, err := strconv.ParseInt(*r, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Vectors are several keys of a slot that are always written together, each with the same value.
func Vectors() Model {
	return Model{Name: "multi-key", Init: "", Thin: arrange, Step: func(state any, op history.Op) []any {
		switch op.Kind {
		case "mset":
			return []any{op.Args[0]}
		case "mget", "final":
		default:
			return nil
		}
		for _, r := range op.Reply {
			if (r == nil) != (state == "") || r != nil && *r != state {
				return nil
			}
		}
		return []any{state}
	}}
}

// lock is who holds a lock, until when at least and at most, and the newest fencing number.
type lock struct {
	holder           string
	earliest, latest int64
	fence            int64
}

// Locks are taken with SET NX PX beside an INCR of the fencing number, in one transaction, and given back by their holder. With
// logged, one expires only where an operation "vanish" says so: see Registers.Logged.
func Locks(skew time.Duration, logged bool) Model {
	return Model{Name: "lock", Init: lock{}, Step: func(state any, op history.Op) []any {
		s := state.(lock)
		switch op.Kind {
		case "acquire":
			return acquire(s, op, skew, s.free(op, logged))
		case "release":
			return release(s, op)
		case "holder":
			return holder(s, op, s.free(op, logged))
		case "vanish":
			if s.holder == op.Args[0] && op.End() >= s.earliest {
				return []any{lock{fence: s.fence}}
			}
		}
		return nil
	}}
}

// free says that the lock may be free by the end of op.
func (s lock) free(op history.Op, logged bool) bool {
	return s.holder == "" || !logged && op.End() >= s.earliest
}

func acquire(s lock, op history.Op, skew time.Duration, mayBeFree bool) []any {
	mayBeHeld := s.holder != "" && op.Call <= s.latest
	ms, _ := strconv.ParseInt(op.Args[1], 10, 64)
	life := ms * int64(time.Millisecond)
	taken := lock{holder: op.Args[0], earliest: op.Call + life - int64(skew), latest: history.Forever, fence: s.fence + 1}
	if end := op.End(); end != history.Forever {
		taken.latest = end + life + int64(skew)
	}
	held := s
	held.fence++
	if op.Outcome == history.Unknown {
		if mayBeFree && mayBeHeld {
			return []any{taken, held}
		}
		if mayBeFree {
			return []any{taken}
		}
		return []any{held}
	}
	got := op.Reply[0] != nil
	switch {
	case number(op.Reply[1]) != taken.fence:
		return nil
	case got && mayBeFree:
		return []any{taken}
	case !got && mayBeHeld:
		return []any{held}
	}
	return nil
}

func release(s lock, op history.Op) []any {
	free := lock{fence: s.fence}
	if s.holder == op.Args[0] {
		return []any{free}
	}
	if op.Outcome == history.Unknown {
		return []any{s}
	}
	return nil
}

func holder(s lock, op history.Op, mayBeFree bool) []any {
	switch r := op.Reply[0]; {
	case r == nil && mayBeFree:
		return []any{lock{fence: s.fence}}
	case r != nil && *r == s.holder && op.Call <= s.latest:
		return []any{s}
	}
	return nil
}
