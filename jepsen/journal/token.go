package journal

import (
	"regexp"
	"strings"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/jepsen/history"
)

// A token is what tells one write from all others: the unique value that it writes, or a counter's key and the unique number
// that is added to it.

// unique is how values begin that no other write has; see workload.
var unique = regexp.MustCompile(`^\d+-\d+`)

// tokensOf are those of one operation of a history, none if it writes nothing that could be told.
func tokensOf(op history.Op) (out []string) {
	switch op.Kind {
	case "incr":
		return []string{op.Key + "+" + op.Args[0]}
	case "txn":
		for _, a := range op.Args {
			if step, rest, _ := strings.Cut(a, " "); step == "append" {
				_, element, _ := strings.Cut(rest, " ")
				out = append(out, unique.FindString(element))
			}
		}
		return out
	case "cas":
		return []string{unique.FindString(op.Args[1])}
	case "set", "getset", "mset", "acquire":
		return []string{unique.FindString(op.Args[0])}
	}
	return nil
}

// written are the tokens that a logged command writes.
func written(op *entry.Op, into []string) []string {
	if op.Tx != nil {
		for i := range op.Tx.Ops {
			into = written(&op.Tx.Ops[i], into)
		}
		return into
	}
	switch op.Cmd {
	case command.Incrby:
		return append(into, string(op.Args[0])+"+"+string(op.Args[1]))
	case command.Set, command.Append, command.Mset:
		return append(into, unique.FindString(string(op.Args[1])))
	}
	return into
}
