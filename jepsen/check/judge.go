package check

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/jepsen/history"
)

// Rules say what a workload's history must obey.
type Rules struct {
	// Model is searched for by porcupine; nil if only the others apply.
	Model *Model
	// Lists and Sums add the checkers of these names.
	Lists, Sums bool
}

// Judge runs every checker of rules over a history that is Sound.
func Judge(rules Rules, ops []history.Op, l Limits) []Result {
	if len(ops) == 0 {
		return []Result{violation("history", "it is empty: nothing is proved")}
	}
	for _, op := range ops {
		if rules.foreign(op) {
			return []Result{violation("history", "operation %d is none of this workload's: %s", op.ID, op)}
		}
	}
	var out []Result
	if rules.Model != nil {
		out = append(out, Linearizable(*rules.Model, ops, l))
	}
	if rules.Lists {
		out = append(out, Lists(ops))
	}
	if rules.Sums {
		out = append(out, Sums(ops))
	}
	return out
}

// foreign says that no client of a workload with these rules does op. Models refuse by themselves what they do not know.
func (r Rules) foreign(op history.Op) bool {
	listed := op.Kind == "txn" || op.Kind == "final" && len(op.Args) > 0
	return listed != r.Lists || r.Sums && op.Kind != "incr" && op.Kind != "get" && op.Kind != "final"
}

// shape is how many arguments and (if applied) replies an operation has; -1 is any number, as many replies as arguments.
type shape struct {
	least, most, replies int
	nulls                bool
}

var shapes = map[string]shape{
	"set":     {1, 2, 0, true},
	"get":     {0, 0, 1, true},
	"getset":  {1, 1, 1, true},
	"del":     {0, 0, 1, false},
	"cas":     {2, 2, 0, true},
	"incr":    {1, 1, 1, false},
	"expire":  {1, 1, 1, false},
	"persist": {0, 0, 1, false},
	"mset":    {1, 1, 0, true},
	"mget":    {0, 0, -1, true},
	"acquire": {2, 2, 2, true},
	"release": {1, 1, 0, true},
	"holder":  {0, 0, 1, true},
	"txn":     {1, maxSteps, -1, true},
	"final":   {0, maxSteps, -1, true},
	"vanish":  {2, 2, 0, true},
}

// maxSteps bounds a transaction.
const maxSteps = 64

// Sound protects checkers from histories that no workload writes.
func Sound(ops []history.Op) error {
	for _, op := range ops {
		if err := sound(op); err != nil {
			return fmt.Errorf("operation %d: %w", op.ID, err)
		}
	}
	return nil
}

func sound(op history.Op) error {
	s, known := shapes[op.Kind]
	if !known {
		return fmt.Errorf("unknown kind %q", op.Kind)
	}
	if len(op.Args) < s.least || len(op.Args) > s.most {
		return fmt.Errorf("%s has %d arguments", op.Kind, len(op.Args))
	}
	if op.Kind == "txn" || op.Kind == "final" {
		for _, a := range op.Args {
			var list, element string
			if n, _ := fmt.Sscanf(a, "append %s %s", &list, &element); n == 2 {
				continue
			}
			if n, _ := fmt.Sscanf(a, "read %s", &list); n != 1 {
				return fmt.Errorf("%s has step %q", op.Kind, a)
			}
		}
	}
	if op.Outcome != history.Applied {
		return nil
	}
	if s.replies >= 0 && len(op.Reply) < s.replies || s.replies < 0 && len(op.Reply) < max(1, len(op.Args)) {
		return fmt.Errorf("%s has %d replies", op.Kind, len(op.Reply))
	}
	for _, r := range op.Reply {
		if r == nil && !s.nulls {
			return fmt.Errorf("%s has a null reply", op.Kind)
		}
	}
	return nil
}

// LastReads checks that every object was read, and the read answered, when all else about it was over: without that nobody would miss the
// writes at a history's end.
func LastReads(ops []history.Op) Result {
	const name = "last reads"
	keys, of := byKey(ops)
	for _, key := range keys {
		over, read := int64(0), false
		for _, op := range of[key] {
			if !reads[op.Kind] {
				over, read = max(over, op.Return), false
			} else if op.Outcome == history.Applied && op.Call >= over {
				read = true
			}
		}
		if !read {
			return violation(name, "%s was not read when all else about it was over: its end is missing", key)
		}
	}
	return pass(name, "every object (%d) could be read at the end", len(keys))
}

// Fault is when the cluster was hurt, in ns since the run began.
type Fault struct {
	Name           string
	Inject, Healed int64
}

// Recovery is how long clients waited for a fault and after it: numbers to report, never to assert.
type Recovery struct {
	Fault string `json:"fault"`
	// FromInject and FromHeal are the times from the fault and from its end to the return of the first applied operation that
	// was called after it; negative if there was none.
	FromInject time.Duration `json:"from_inject_ns"`
	FromHeal   time.Duration `json:"from_heal_ns"`
	// Silence is the longest time without any applied operation while the fault lasted.
	Silence time.Duration `json:"silence_ns"`
}

// Liveness measures every fault.
func Liveness(ops []history.Op, faults []Fault) (out []Recovery) {
	for _, f := range faults {
		out = append(out, Recovery{Fault: f.Name, FromInject: first(ops, f.Inject), FromHeal: first(ops, f.Healed), Silence: silence(ops, f)})
	}
	return out
}

func first(ops []history.Op, since int64) time.Duration {
	best := int64(-1)
	for _, op := range ops {
		if op.Outcome == history.Applied && op.Call >= since && (best < 0 || op.Return-since < best) {
			best = op.Return - since
		}
	}
	return time.Duration(best)
}

// silence relies on the order of a history: operations are written as they return.
func silence(ops []history.Op, f Fault) (longest time.Duration) {
	last := f.Inject
	for _, op := range ops {
		if op.Outcome == history.Applied && op.Return > last && op.Return <= f.Healed {
			longest = max(longest, time.Duration(op.Return-last))
			last = op.Return
		}
	}
	return max(longest, time.Duration(f.Healed-last))
}
