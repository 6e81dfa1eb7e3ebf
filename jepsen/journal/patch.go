package journal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/jepsen/history"
)

// Patched is a history that was completed from the logs.
type Patched struct {
	Ops []history.Op
	// Dropped operations of unknown outcome are in no log, Found ones are; Vanished keys expired or were evicted.
	Dropped, Found, Vanished int
}

func (p Patched) String() string {
	return fmt.Sprintf("of unknown operations %d happened and %d did not; %d keys vanished", p.Found, p.Dropped, p.Vanished)
}

// Patch completes a history: an operation of unknown outcome that is in no log had no effect; one that is in a log took effect
// by the time that anything behind it was acknowledged. Keys that vanished become operations of their own, which the models
// demand (check.Registers.Logged). Where logs were cut, nothing can be said of what is not found.
func (s *Story) Patch(ops []history.Op) Patched {
	w := s.windows(ops)
	void := s.void(ops)
	p := Patched{Ops: make([]history.Op, 0, len(ops)+len(s.Vanished))}
	last := int64(0)
	for _, op := range ops {
		last = max(last, op.ID)
		if op.Outcome == history.Unknown {
			op = s.settle(op, w, void, &p)
		}
		p.Ops = append(p.Ops, op)
	}
	objects := map[string]bool{}
	for _, op := range ops {
		objects[op.Key] = true
	}
	at := s.places(p.Ops)
	for _, v := range s.Vanished {
		key := objectOf(v.Key, objects)
		if key == "" {
			continue // of another run's history
		}
		last++
		p.Vanished++
		at[key] = append(at[key], place{v.moment(), len(p.Ops)})
		p.Ops = append(p.Ops, v.op(last, key, w))
	}
	number(p.Ops, at)
	return p
}

// place is where in a log the operation of a number in a history took effect.
type place struct {
	at Position
	op int
}

// places are those of each object's operations.
func (s *Story) places(ops []history.Op) map[string][]place {
	out := map[string][]place{}
	for i, op := range ops {
		if op.Outcome == history.Failed || op.Outcome == history.Unknown && op.Until == 0 {
			continue
		}
		if at, found := s.place(tokensOf(op)); found && at.Applied {
			out[op.Key] = append(out[op.Key], place{at, i})
		}
	}
	return out
}

// number gives the operations of each object their Place.
func number(ops []history.Op, all map[string][]place) {
	for _, at := range all {
		slices.SortStableFunc(at, func(a, b place) int { return order(a.at, b.at) })
		if at[0].at.Group != at[len(at)-1].at.Group {
			continue // two logs have no common order
		}
		for i, x := range at {
			ops[x.op].Place = i + 1
		}
	}
}

// void are the commands without a token whose effects in the log are those of acknowledged operations, so that others had none.
func (s *Story) void(ops []history.Op) map[string]bool {
	out := map[string]bool{}
	for _, c := range s.crowds(ops) {
		out[c.text] = s.Whole && len(c.at) == len(c.told)
	}
	return out
}

// settle decides an unknown outcome.
func (s *Story) settle(op history.Op, w windows, void map[string]bool, p *Patched) history.Op {
	tokens, text := tokensOf(op), textOf(op)
	if len(tokens) == 0 && !void[text] {
		return op
	}
	at, found := s.place(tokens)
	switch {
	case !found && !s.Whole:
		return op
	case !found || !at.Applied:
		p.Dropped++
		op.Outcome = history.Failed
		return op
	}
	p.Found++
	// It may have been answered, and the answer lost, before the client gave up: only what came behind it says more.
	op.Until = max(op.Call, w.until(at))
	return op
}

// objectOf is the history's name for the object that a key belongs to: the key, or its hash tag.
func objectOf(key string, objects map[string]bool) string {
	if objects[key] {
		return key
	}
	if end := strings.IndexByte(key, '}'); end >= 0 && objects[key[:end+1]] {
		return key[:end+1]
	}
	return ""
}

// Vanishing is the kind of operation that a key which vanished becomes.
const vanishing = "vanish"

// moment is where it vanished: a key that expired did so before what its entry holds.
func (v Vanish) moment() Position {
	if !v.Evicted {
		v.At.Op = -1
	}
	return v.At
}

func (v Vanish) op(id int64, key string, w windows) history.Op {
	why := "expired"
	if v.Evicted {
		why = "evicted"
	}
	since, until := w.since(v.At), w.until(v.At)
	// A process of its own: nobody waits for it.
	return history.Op{
		ID: id, Process: -int(id), Kind: vanishing, Key: key, Args: []string{v.Value, why},
		Call: since, Return: max(since, until), Outcome: history.Applied,
	}
}
