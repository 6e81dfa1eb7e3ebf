package check

import (
	"strconv"

	"github.com/quorate/quorate/jepsen/history"
)

// Sums checks counters by bounds, which needs no search and so judges any number of operations at once: a reply is at least
// what was acknowledged before the call and at most what can have been sent before the return. Increments are positive.
// The last read of each counter must come after all increments: it finds lost writes.
func Sums(ops []history.Op) Result {
	keys, of := byKey(ops)
	replies := 0
	for _, key := range keys {
		for _, op := range of[key] {
			if op.Outcome != history.Applied {
				continue
			}
			replies++
			low, high := bounds(of[key], op)
			switch got := number(op.Reply[0]); {
			case got < low:
				return violation("sums", "%s: operation %d got %d after a sum of %d was acknowledged: a write was lost or the read is stale", key, op.ID, got, low)
			case got > high:
				return violation("sums", "%s: operation %d got %d of at most %d: a write was applied twice, or though it failed", key, op.ID, got, high)
			}
		}
	}
	return pass("sums", "%d replies of %d counters are within their bounds", replies, len(keys))
}

// bounds is the least and the most that op can have been told. It looks at all operations of the key: keys rotate, so they are few.
func bounds(ops []history.Op, op history.Op) (low, high int64) {
	for _, other := range ops {
		if other.Kind != "incr" || other.Outcome == history.Failed {
			continue
		}
		by, _ := strconv.ParseInt(other.Args[0], 10, 64)
		if other.Call <= op.Return {
			high += by
		}
		if other.End() < op.Call || other.ID == op.ID {
			low += by
		}
	}
	return low, high
}
