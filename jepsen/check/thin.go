package check

import "github.com/quorate/quorate/jepsen/history"

// thin leaves out reads of a register that only knows SET and GET and whose writes are all different. Then everything hangs on when,
// at the earliest, an operation with some value returned and when, at the latest, one was called (Gibbons and Korach, "Testing
// Shared Memories", 1997, section 4.2): of all reads of a value, the first to return and the last to be called say it all. The pipelines
// of slow readers are dozens of reads at the same time.
func thin(ops []history.Op) []history.Op {
	if !plain(ops) {
		return ops
	}
	const nothing = "\x00nothing" // what a read of an absent key saw; no workload writes it
	value := func(op history.Op) string {
		if op.Reply[0] == nil {
			return nothing
		}
		return *op.Reply[0]
	}
	first, last := map[string]int{}, map[string]int{}
	for i, op := range ops {
		if op.Kind == "set" {
			continue
		}
		v := value(op)
		if j, seen := first[v]; !seen || op.End() < ops[j].End() {
			first[v] = i
		}
		if j, seen := last[v]; !seen || op.Call > ops[j].Call {
			last[v] = i
		}
	}
	var out []history.Op
	for i, op := range ops {
		if op.Kind == "set" || first[value(op)] == i || last[value(op)] == i {
			out = append(out, op)
		}
	}
	return out
}

// plain says that all operations are sets of different values, without a deadline, and reads that were answered.
func plain(ops []history.Op) bool {
	written := map[string]bool{}
	for _, op := range ops {
		switch op.Kind {
		case "set":
			if len(op.Args) != 1 || written[op.Args[0]] {
				return false
			}
			written[op.Args[0]] = true
		case "get", "final":
			if op.Outcome != history.Applied || len(op.Reply) == 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}
