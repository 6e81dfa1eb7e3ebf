package check

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/jepsen/history"
)

// Toll is how much a run lost, where the other checkers stop at the first thing that is wrong. It counts only what clients saw
// for sure: a value that was overwritten before anybody read again is in none of the counts.
type Toll struct {
	// Acknowledged are the writes that were answered, Lost those of them that the last reads do not have and must: elements
	// of lists, and increments, of which it counts the fewest that explain what is missing.
	Acknowledged int `json:"acknowledged"`
	Lost         int `json:"lost"`
	// Stale are reads of a value that an acknowledged write had replaced before they began; that write came back later or was lost.
	Stale int `json:"stale"`
	// Returned are reads of a value after a read that had found it gone (expired or deleted).
	Returned int `json:"returned"`
	// Silence is the longest time in which clients asked for an object and nothing about it was answered.
	Silence time.Duration `json:"silence_ns"`
}

// Count adds up the toll of a history.
func Count(ops []history.Op) (t Toll) {
	for _, op := range ops {
		if op.Outcome == history.Applied && !reads[op.Kind] && (op.Kind != "txn" || appends(op)) {
			t.Acknowledged++
		}
	}
	keys, of := byKey(ops)
	for _, key := range keys {
		t.Lost += lostElements(of[key]) + lostIncrements(of[key])
		stale, returned := wentBack(of[key])
		t.Stale, t.Returned = t.Stale+stale, t.Returned+returned
		t.Silence = max(t.Silence, silent(of[key]))
	}
	return t
}

func appends(op history.Op) bool {
	return slices.ContainsFunc(steps(op), func(s step) bool { return s.element != "" })
}

// lostElements counts acknowledged elements that the last read of a group of lists does not have.
func lostElements(ops []history.Op) (lost int) {
	last := ops[len(ops)-1]
	if last.Kind != "final" || last.Outcome != history.Applied || len(last.Args) == 0 {
		return 0
	}
	held := map[string]bool{}
	for _, s := range steps(last) {
		for _, e := range s.seen {
			held[e] = true
		}
	}
	for _, op := range ops {
		for _, s := range steps(op) {
			if op.Kind == "txn" && op.Outcome == history.Applied && s.element != "" && !held[s.element] {
				lost++
			}
		}
	}
	return lost
}

// lostIncrements is the least number of acknowledged increments that the last read of a counter lacks.
func lostIncrements(ops []history.Op) (lost int) {
	last := ops[len(ops)-1]
	var by []int64
	missing := int64(0)
	for _, op := range ops {
		if op.Kind == "incr" && op.Outcome == history.Applied {
			n, _ := strconv.ParseInt(op.Args[0], 10, 64)
			by, missing = append(by, n), missing+n
		}
	}
	if len(by) == 0 || last.Kind != "final" || last.Outcome != history.Applied {
		return 0
	}
	missing -= number(last.Reply[0])
	slices.SortFunc(by, func(a, b int64) int { return cmp.Compare(b, a) })
	for _, n := range by {
		if missing <= 0 {
			break
		}
		missing -= n
		lost++
	}
	return lost
}

// wentBack counts the reads of a register that show a value again which had been replaced, or which was gone.
func wentBack(ops []history.Op) (stale, returned int) {
	written := map[string]history.Op{}
	var writes, gone []history.Op
	for _, op := range ops {
		switch {
		case op.Kind == "set", op.Kind == "getset":
			written[op.Args[0]] = op
		case op.Kind == "cas":
			written[op.Args[1]] = op
		}
		if op.Outcome != history.Applied {
			continue
		}
		switch {
		case op.Kind == "set", op.Kind == "getset", op.Kind == "cas", op.Kind == "del":
			writes = append(writes, op)
		case (op.Kind == "get" || op.Kind == "final") && len(op.Args) == 0 && op.Reply[0] == nil:
			gone = append(gone, op)
		}
	}
	for _, op := range ops {
		if op.Outcome != history.Applied || op.Kind != "get" && op.Kind != "final" || len(op.Args) > 0 || op.Reply[0] == nil {
			continue
		}
		w, known := written[*op.Reply[0]]
		if !known {
			continue
		}
		between := func(o history.Op) bool { return o.Call > w.End() && o.Return < op.Call }
		switch {
		case slices.ContainsFunc(writes, between):
			stale++
		case slices.ContainsFunc(gone, between):
			returned++
		}
	}
	return stale, returned
}

// silent is the longest time in which nothing about an object was answered though clients asked. Operations are in the order of
// their returns. The last reads do not count: clients may have given the object up long before.
func silent(ops []history.Op) (longest time.Duration) {
	since, asked := int64(-1), false
	for _, op := range ops {
		if op.Kind == "final" || op.Kind == "holder" {
			continue
		}
		if since < 0 {
			since = op.Call
		}
		refused := op.Outcome != history.Applied
		if refused || asked {
			longest = max(longest, time.Duration(op.Return-since))
		}
		if asked = refused; !refused {
			since = op.Return
		}
	}
	return longest
}
