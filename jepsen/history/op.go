package history

import (
	"fmt"
	"math"
	"strings"

	"github.com/quorate/quorate/client"
)

// Outcome says what became of an operation.
type Outcome string

// The three outcomes. They must be truthful: a failed operation had no effect and never will have.
const (
	Applied Outcome = "applied"
	Failed  Outcome = "failed"
	Unknown Outcome = "unknown"
)

// OutcomeOf translates what a client that never retries was told.
func OutcomeOf(err error) Outcome {
	switch client.OutcomeOf(err) {
	case client.Applied:
		return Applied
	case client.NotApplied:
		return Failed
	default:
		return Unknown
	}
}

// Forever is the return time of an operation whose outcome is unknown: it may take effect at any later time.
const Forever = math.MaxInt64

// Op is one operation of one logical process. A process has at most one operation at a time, except in a pipeline, and
// ends with its first unknown outcome: what comes after on the same connection gets a new process number.
type Op struct {
	// ID is unique within a history.
	ID      int64 `json:"id"`
	Process int   `json:"process"`
	// Kind is the meaning to the checkers, such as "set" or "append"; the workload says how it is sent.
	Kind string `json:"kind"`
	// Key is the object that the operation is about. Operations on different objects are checked apart.
	Key  string   `json:"key"`
	Args []string `json:"args,omitempty"`
	// Reply is what an applied operation returned; a null is a key that is not there.
	Reply []*string `json:"reply,omitempty"`
	// Call and Return are monotonic ns since the run began. Return is when the client gave up if the outcome is unknown.
	Call    int64   `json:"call"`
	Return  int64   `json:"return"`
	Outcome Outcome `json:"outcome"`
	// Until is a time by which an operation of unknown outcome is known to have taken effect, 0 if there is none. Clients can't
	// tell; it comes from the cluster's logs.
	Until int64 `json:"until,omitempty"`
	// Place is the operation's number, from 1, among those of its object that took effect in the order of the cluster's log; 0 if
	// that is not known. It comes from the logs, too.
	Place int `json:"place,omitempty"`
	// Error is what a failed or unknown operation was told.
	Error string `json:"error,omitempty"`
}

// End is the latest time at which the operation can have taken effect.
func (o Op) End() int64 {
	switch {
	case o.Outcome != Unknown:
		return o.Return
	case o.Until > 0:
		return o.Until
	}
	return Forever
}

func (o Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s(%s)", o.Kind, strings.Join(o.Args, " "))
	switch o.Outcome {
	case Applied:
		b.WriteString(" = ")
		for i, r := range o.Reply {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(Show(r))
		}
	default:
		b.WriteString(": " + string(o.Outcome))
	}
	return b.String()
}

// Show is a reply for people.
func Show(r *string) string {
	if r == nil {
		return "nil"
	}
	return *r
}
