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
		case op.Outcome == history.Applied && !happened && s.Whole:
			return violation(name, "operation %d on %s (%s) was acknowledged and is in no log: a write was lost", op.ID, op.Key, op)
		case op.Outcome == history.Applied && !happened:
			absent++
		case op.Outcome == history.Applied:
			writes++
		}
	}
	if !s.Whole {
		return pass(name, "%d are in the logs once; %d are older than what is left of them", writes, absent)
	}
	return pass(name, "%d are in the logs, each once", writes)
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
	w := s.windows(ops)
	for _, id := range slices.Sorted(maps.Keys(w)) {
		latest := mark{call: -1}
		for _, m := range w[id] {
			if m.op.Return < latest.call {
				return violation(name, "group %d: operation %d returned before operation %d was called, but is behind it in the log (%d, %d)",
					id, m.op.ID, latest.op.ID, m.at.Index, latest.at.Index)
			}
			if m.op.Call > latest.call {
				latest = mark{at: m.at, call: m.op.Call, op: m.op}
			}
			n++
		}
	}
	return pass(name, "%d acknowledged writes are in the logs in an order that agrees with their times", n)
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

// SameDigests compares what the replicas said about their state with that of the replay.
func (s *Story) SameDigests(said []client.Digest) check.Result {
	const name = "replay"
	if !s.Whole {
		return pass(name, "not looked at: the logs were cut behind snapshots")
	}
	for _, d := range said {
		if want := s.Digests[d.Group]; want != d.Sum {
			return violation(name, "group %d: at index %d node %s had digest %s, executing the log again gives %s", d.Group, d.Index, d.Node.Short(), d.Sum, want)
		}
	}
	return pass(name, "executing the logs of %d groups again gives the digests of %d replicas", len(s.Digests), len(said))
}
