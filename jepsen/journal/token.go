package journal

import (
	"regexp"
	"strings"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/jepsen/history"
)

// A token is what tells one write from all others: the object and the unique value that is written, or the unique number that is
// added. What writes nothing of its own, such as DEL, has the text of its command instead, which many may have; see crowd.

// unique is how values begin that no other write has; see workload.
var unique = regexp.MustCompile(`^\d+-\d+`)

// token is that of a value; "" if the value is like others. Other keys of the object share its hash tag, so the token has no more.
func token(key, value string) string {
	if value = unique.FindString(value); value == "" {
		return ""
	}
	return tag(key) + " " + value
}

// tag is the part of a key that all keys of its object share.
func tag(key string) string {
	if end := strings.IndexByte(key, '}'); end >= 0 && strings.HasPrefix(key, "{") {
		return key[:end+1]
	}
	return key
}

// tokensOf are those of one operation of a history, none if it writes nothing that could be told.
func tokensOf(op history.Op) (out []string) {
	switch op.Kind {
	case "incr":
		return []string{op.Key + "+" + op.Args[0]}
	case "txn":
		for _, a := range op.Args {
			if step, rest, _ := strings.Cut(a, " "); step == "append" {
				_, element, _ := strings.Cut(rest, " ")
				out = append(out, token(op.Key, element))
			}
		}
		return out
	case "cas":
		return []string{token(op.Key, op.Args[1])}
	case "set", "getset", "mset", "acquire":
		return []string{token(op.Key, op.Args[0])}
	}
	return nil
}

// textOf is the command of an operation that changes something and has no token, "" of others.
func textOf(op history.Op) string {
	switch op.Kind {
	case "del":
		return "del " + op.Key
	case "expire":
		return "pexpire " + op.Key + " " + op.Args[0]
	case "persist":
		return "persist " + op.Key
	case "release":
		return "exec del " + op.Key + "lock"
	}
	return ""
}

// written are the tokens of a logged command. A transaction's commands that have none are told by those that have.
func written(op *entry.Op, into []string) []string {
	if op.Tx != nil {
		for i := range op.Tx.Ops {
			into = written(&op.Tx.Ops[i], into)
		}
		return into
	}
	value := ""
	switch op.Cmd {
	case command.Incrby:
		return append(into, string(op.Args[0])+"+"+string(op.Args[1]))
	case command.Set, command.Append, command.Mset:
		value = token(string(op.Args[0]), string(op.Args[1]))
	}
	if value == "" {
		return into
	}
	return append(into, value)
}

// text is a logged command without a token, as textOf writes it; "" if it changes nothing, or is the leader's own.
func text(op *entry.Op) string {
	if op.Tx != nil {
		out := ""
		for i := range op.Tx.Ops {
			if t := text(&op.Tx.Ops[i]); t != "" {
				out += " " + t
			}
		}
		if out == "" {
			return ""
		}
		return "exec" + out
	}
	spec := command.ByID(op.Cmd)
	if spec == nil || spec.Home == command.Internal || spec.Flags&command.Write == 0 {
		return ""
	}
	out := spec.Name
	for _, arg := range op.Args {
		out += " " + string(arg[:min(len(arg), shown)])
	}
	return out
}

// shown is how much of an argument a command's text has: what clients send without a token is shorter.
const shown = 200

// ours says that a command is the harness's own: a SET of a key without a hash tag, which no object of a history is.
func ours(text string) bool {
	key, sets := strings.CutPrefix(text, "set ")
	return sets && !strings.HasPrefix(key, "{")
}
