package check

import (
	"math"
	"strconv"
	"time"

	"github.com/quorate/quorate/jepsen/history"
)

// register is the state of a key that holds one text. The zero value is a key that is not there.
type register struct {
	there bool
	value string
	// It can't have expired before earliest and must have by latest (ns of the run).
	earliest, latest int64
}

// Registers say how a register may forget its value.
type Registers struct {
	// Evicts lets any value vanish at any time: the nodes are out of memory.
	Evicts bool
	// Logged demands an operation "vanish" for every value that goes without being told to: the history was completed from the
	// cluster's logs, so that a value may go only where they say so.
	Logged bool
	// Skew is by how much a key may expire too early or too late: the distance between the nodes' clocks, and what one
	// entry of the log may be late.
	Skew time.Duration
}

// Register is the name of the model of a register.
const Register = "register"

// Model knows set, set with a time to live, get, getset, del, cas, expire, persist, and vanish.
func (o Registers) Model() Model {
	m := Model{Name: Register, Init: register{}, Step: func(s any, op history.Op) []any { return o.step(s.(register), op) }}
	m.Thin = arrange
	if !o.Evicts {
		m.Thin = func(ops []history.Op) []history.Op { return arrange(thin(ops)) }
	}
	return m
}

func (o Registers) step(s register, op history.Op) []any {
	if op.Outcome == history.Unknown {
		return o.maybe(s, op)
	}
	switch op.Kind {
	case "set":
		return []any{o.written(op, op.Args[0])}
	case "get", "final":
		return o.sees(s, op, op.Reply[0])
	case "getset":
		if len(o.sees(s, op, op.Reply[0])) == 0 {
			return nil
		}
		return []any{o.written(op, op.Args[0])}
	case "del":
		if was := *op.Reply[0] == "1"; was && !o.mayHold(s, op) || !was && !o.mayLack(s, op) {
			return nil
		}
		return []any{register{}}
	case "expire", "persist":
		return o.changesDeadline(s, op)
	case "vanish":
		return o.vanishes(s, op)
	case "cas":
		if len(o.sees(s, op, &op.Args[0])) == 0 {
			return nil
		}
		return []any{o.written(op, op.Args[1])}
	}
	return nil
}

// maybe is an operation nobody heard of again. As it has for ever to happen, "it did not" needs no state of its own: it
// happens after all others. So it must be possible in every state.
func (o Registers) maybe(s register, op history.Op) []any {
	switch op.Kind {
	case "set", "getset":
		return []any{o.written(op, op.Args[0])}
	case "del":
		return []any{register{}}
	case "expire", "persist":
		if s.there {
			return []any{o.withDeadline(s, op)}
		}
		return []any{s}
	case "cas":
		if s.there && s.value == op.Args[0] {
			return []any{o.written(op, op.Args[1])}
		}
		return []any{s}
	}
	return nil
}

// sees is a read of value, which also proves that a value has gone for good: it must not be seen again.
func (o Registers) sees(s register, op history.Op, value *string) []any {
	switch {
	case value == nil && o.mayLack(s, op):
		return []any{register{}}
	case value != nil && o.mayHold(s, op) && s.value == *value:
		return []any{s}
	}
	return nil
}

func (o Registers) mayLack(s register, op history.Op) bool {
	return !s.there || !o.Logged && o.mayGo(s, op)
}

// mayGo says that a value may vanish by the end of op.
func (o Registers) mayGo(s register, op history.Op) bool { return o.Evicts || op.End() >= s.earliest }

// vanishes is a value that expired or was evicted, as the logs say.
func (o Registers) vanishes(s register, op history.Op) []any {
	evicted := len(op.Args) > 1 && op.Args[1] == "evicted"
	if s.there && s.value == op.Args[0] && (evicted && o.Evicts || !evicted && op.End() >= s.earliest) {
		return []any{register{}}
	}
	return nil
}

func (o Registers) mayHold(s register, op history.Op) bool { return s.there && op.Call <= s.latest }

// changesDeadline is an expire, whose reply says whether the key was there, or a persist, whose reply says whether it had a
// deadline.
func (o Registers) changesDeadline(s register, op history.Op) (out []any) {
	done := *op.Reply[0] == "1"
	volatile := s.earliest != math.MaxInt64
	if done && o.mayHold(s, op) && (op.Kind == "expire" || volatile) {
		out = append(out, o.withDeadline(s, op))
	}
	if !done && op.Kind == "persist" && o.mayHold(s, op) && !volatile {
		out = append(out, s)
	}
	if !done && o.mayLack(s, op) {
		out = append(out, register{})
	}
	return out
}

// withDeadline is s with the deadline that an expire gives it, or without the one that a persist takes away.
func (o Registers) withDeadline(s register, op history.Op) register {
	if op.Kind == "persist" {
		s.earliest, s.latest = math.MaxInt64, math.MaxInt64
		return s
	}
	return o.dated(s, op, op.Args[0])
}

// written is the state after op; a second argument of a set is its time to live in ms.
func (o Registers) written(op history.Op, value string) register {
	s := register{there: true, value: value, earliest: math.MaxInt64, latest: math.MaxInt64}
	if op.Kind != "set" || len(op.Args) < 2 {
		return s
	}
	return o.dated(s, op, op.Args[1])
}

// dated gives s a life of some ms from op on.
func (o Registers) dated(s register, op history.Op, text string) register {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return s
	}
	s.latest = math.MaxInt64
	life := ms * int64(time.Millisecond)
	s.earliest = op.Call + life - int64(o.Skew)
	if end := op.End(); end != history.Forever {
		s.latest = end + life + int64(o.Skew)
	}
	return s
}
