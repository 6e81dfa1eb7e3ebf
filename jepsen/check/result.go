package check

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/jepsen/history"
)

// Result is one checker's verdict.
type Result struct {
	Checker string `json:"checker"`
	OK      bool   `json:"ok"`
	// Text says what was found, or what was looked at if nothing was.
	Text string `json:"text"`
	// Picture is the file that shows the violation, if there is one.
	Picture string `json:"picture,omitempty"`
}

func pass(checker, format string, args ...any) Result {
	return Result{Checker: checker, OK: true, Text: fmt.Sprintf(format, args...)}
}

func violation(checker, format string, args ...any) Result {
	return Result{Checker: checker, Text: fmt.Sprintf(format, args...)}
}

// byKey splits operations by object; keys come in the order of their first operation.
func byKey(ops []history.Op) (keys []string, of map[string][]history.Op) {
	of = map[string][]history.Op{}
	for _, op := range ops {
		if of[op.Key] == nil {
			keys = append(keys, op.Key)
		}
		of[op.Key] = append(of[op.Key], op)
	}
	return keys, of
}

// possible leaves out what had no effect: failed operations, and reads that were not answered.
func possible(ops []history.Op) []history.Op {
	return slices.DeleteFunc(slices.Clone(ops), func(op history.Op) bool {
		return op.Outcome == history.Failed || op.Outcome == history.Unknown && reads[op.Kind]
	})
}

// reads are the kinds without effect.
var reads = map[string]bool{"get": true, "mget": true, "final": true, "holder": true}
