package journal

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
)

func pass(checker, format string, args ...any) check.Result {
	return check.Result{Checker: checker, OK: true, Text: fmt.Sprintf(format, args...)}
}

func violation(checker, format string, args ...any) check.Result {
	return check.Result{Checker: checker, Text: fmt.Sprintf(format, args...)}
}

// Acknowledged checks the outcomes that clients were told against the logs: what was acknowledged took effect once, what was
// refused did not.
func (s *Story) Acknowledged(ops []history.Op) check.Result {
	const name = "acknowledged writes"
	if token, at := s.twice(); token != "" {
		return violation(name, "the write of %s took effect at %v: it was applied twice", token, at)
	}
	marks := s.marks(ops)
	writes, absent := 0, 0
	for _, op := range ops {
		tokens := tokensOf(op)
		if len(tokens) == 0 || op.Outcome == history.Unknown {
			continue
		}
		at, found := s.place(tokens)
		happened := found && at.Applied
		switch {
		case op.Outcome == history.Failed && happened && (s.Whole || !refusedThere(op)):
			return violation(name, "operation %d on %s (%s) was said to have failed (%s), but it took effect at %+v", op.ID, op.Key, op, op.Error, at)
		case op.Outcome == history.Applied && !happened && s.holds(op, marks):
			return violation(name, "operation %d on %s (%s) was acknowledged and is in no log: a write was lost", op.ID, op.Key, op)
		case op.Outcome == history.Applied && !happened:
			absent++
		case op.Outcome == history.Applied:
			writes++
		}
	}
	w := s.windows(ops)
	for _, c := range s.crowds(ops) {
		if !s.Whole {
			break // which of them are older than what is left can't be told
		}
		if lost := c.lost(w); lost != nil {
			return violation(name, "operation %d on %s (%s) was acknowledged, and none of the %d places of %q in the logs can be its: a write was lost", lost.ID, lost.Key, lost, len(c.at), c.text)
		}
		writes += len(c.told)
	}
	if !s.Whole {
		return pass(name, "%d are in the logs once; %d are older than what is left of them", writes, absent)
	}
	return pass(name, "%d are in the logs, each once", writes)
}

// holds says that the logs must hold an operation if it took effect: they are whole, or it was called when something had returned that is
// in the part from where on they are.
func (s *Story) holds(op history.Op, marks map[slot.GroupID][]mark) bool {
	if s.Whole {
		return true
	}
	group, known := s.logged[slot.Of([]byte(op.Key))]
	if !known {
		return false
	}
	all := marks[group]
	i := slices.IndexFunc(all, func(m mark) bool { return m.at.Index >= s.tails[group] })
	return i >= 0 && slices.ContainsFunc(all[i:], func(m mark) bool { return m.ret < op.Call })
}

// Issued checks that every command in the logs is one that some client sent, and no more of them than were sent: what a client was
// told does not matter here, as it may have been told nothing. The leaders' own commands are left out, and so are writes of keys
// without a hash tag, which are no objects of a history: with those the harness probes and fills the nodes.
func (s *Story) Issued(ops []history.Op) check.Result {
	const name = "issued commands"
	sent := map[string]bool{}
	for _, op := range ops {
		for _, t := range tokensOf(op) {
			sent[t] = true
		}
	}
	n, beside := 0, 0
	for _, token := range slices.Sorted(maps.Keys(s.Of)) {
		if !sent[token] {
			return violation(name, "the log has a write of %s at %+v, which no client sent", token, s.Of[token][0])
		}
		n += len(s.Of[token])
	}
	w, alike := s.windows(ops), map[string]*crowd{}
	for _, c := range s.crowds(ops) {
		alike[c.text] = c
	}
	for _, text := range slices.Sorted(maps.Keys(s.Alike)) {
		c := alike[text]
		switch {
		case c == nil && ours(text):
			beside++
		case c == nil:
			return violation(name, "the log has %q at %+v, which no client sent", text, s.Alike[text][0])
		default:
			if err := c.unsent(w); err != nil {
				return check.Result{Checker: name, Text: err.Error()}
			}
			n += c.logged
		}
	}
	return pass(name, "%d in the logs were sent by clients, %d are the harness's own", n, beside)
}

// refusedThere says that the machine refused the operation, and not a server before it was logged: then it is in the log, and whether it
// did something there shows only when the log is executed again.
func refusedThere(op history.Op) bool {
	return strings.HasPrefix(op.Error, "EXEC returned null") || strings.HasPrefix(op.Error, "OOM")
}

// InOrder checks that the order of the log agrees with real time: what returned before another write was called is before it.
func (s *Story) InOrder(ops []history.Op) check.Result {
	const name = "log order"
	n := 0
	all := s.marks(ops)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		latest := mark{call: -1}
		for _, m := range all[id] {
			if m.ret < latest.call {
				return violation(name, "group %d: operation %d returned before operation %d was called, but is behind it in the log (%d, %d)",
					id, m.op.ID, latest.op.ID, m.at.Index, latest.at.Index)
			}
			if m.call > latest.call {
				latest = m
			}
			n++
		}
	}
	return pass(name, "%d acknowledged writes are in the logs in an order that agrees with their times", n)
}

// Evictions checks that none took what had been written since it was chosen.
func (s *Story) Evictions() check.Result {
	const name = "evictions"
	if len(s.Wronged) > 0 {
		v := s.Wronged[0]
		return violation(name, "group %d: entry %d evicts key %s, which has been written since it was chosen (%d keys in all)", v.At.Group, v.At.Index, v.Key, len(s.Wronged))
	}
	return pass(name, "none of %d victims had been written since it was chosen, or it stayed", s.Victims)
}

// Owners reports what Replay found of who served the slots; an error of Replay is another checker's if it is not about that.
func (s *Story) Owners() check.Result {
	const name = "one owner in the logs"
	served := map[slot.GroupID]int{}
	for _, g := range s.owners {
		if g != 0 {
			served[g]++
		}
	}
	n := 0
	for _, slots := range served {
		n += slots
	}
	if !s.Whole {
		return pass(name, "not looked at: the logs were cut behind snapshots")
	}
	return pass(name, "%d slots were served by one of %d groups each, %d maps are sound", n, len(served), s.Epochs)
}

// SameDigests compares what the replicas said about their state with each other and with that of the replay.
func (s *Story) SameDigests(said []client.Digest) check.Result {
	const name = "replay"
	type state struct {
		group slot.GroupID
		index uint64
	}
	first := map[state]client.Digest{}
	for _, d := range said {
		at := state{d.Group, d.Index}
		if other, known := first[at]; known && other.Sum != d.Sum {
			return violation(name, "group %d: at index %d node %s had digest %s and node %s had %s", d.Group, d.Index, other.Node.Short(), other.Sum, d.Node.Short(), d.Sum)
		} else if !known {
			first[at] = d
		}
	}
	if !s.Whole {
		return pass(name, "the digests of %d replicas agree; the logs were cut behind snapshots, so that they can't be executed again", len(said))
	}
	for _, d := range said {
		if want := s.Digests[d.Group]; want != d.Sum {
			return violation(name, "group %d: at index %d node %s had digest %s, executing the log again gives %s", d.Group, d.Index, d.Node.Short(), d.Sum, want)
		}
	}
	return pass(name, "executing the logs of %d groups again gives the digests of %d replicas", len(s.Digests), len(said))
}
