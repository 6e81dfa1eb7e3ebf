package check

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/quorate/quorate/jepsen/history"
)

// Model is a sequential specification of one object.
type Model struct {
	Name string
	// Init is the state of an object that was never written; states are compared with ==.
	Init any
	// Step returns the states that can follow; none if op can't happen in state.
	Step func(state any, op history.Op) []any
	// Thin, if set, leaves out operations of one object that say nothing beside the others, or gives some a Place: the search takes
	// exponentially long in the number of operations at the same time.
	Thin func(ops []history.Op) []history.Op
}

// Limits bound a check.
type Limits struct {
	// Timeout bounds the search of one object; a search that does not end is a failure.
	Timeout time.Duration
	// Dir takes porcupine's picture of a violation; empty draws none.
	Dir string
}

// Linearizable searches, object by object, for an order of the operations that explains all replies. Operations whose
// outcome is unknown may take effect at any time after their call. It stops at the first object that has none.
func Linearizable(m Model, ops []history.Op, l Limits) Result {
	keys, of := byKey(possible(ops))
	n, longest := 0, time.Duration(0)
	for _, key := range keys {
		began := time.Now()
		ops := of[key]
		if m.Thin != nil {
			ops = m.Thin(ops)
		}
		verdict, info := porcupine.CheckOperationsVerbose(m.porcupine(), operations(ops), l.Timeout)
		longest = max(longest, time.Since(began))
		n += len(of[key])
		if verdict != porcupine.Ok {
			return m.explain(key, of[key], verdict, info, l)
		}
	}
	return pass(m.Name, "%d operations on %d objects are linearizable (longest search %s)", n, len(keys), longest.Round(time.Millisecond))
}

func operations(ops []history.Op) []porcupine.Operation {
	out := make([]porcupine.Operation, len(ops))
	for i, op := range ops {
		out[i] = porcupine.Operation{ClientId: op.Process, Input: op, Call: op.Call, Return: op.End()}
	}
	return out
}

func (m Model) porcupine() porcupine.Model {
	n := porcupine.NondeterministicModel{
		Init:              func() []any { return []any{placed{state: m.Init}} },
		Step:              func(state, input, _ any) []any { return m.step(state.(placed), input.(history.Op)) },
		DescribeOperation: func(input, _ any) string { return input.(history.Op).String() },
		DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state.(placed).state) },
	}
	return n.ToModel()
}

// placed is a state after the operation of a Place, and before the next one. The orders of a dozen writes that waited for one stuck
// disk are too many to search, and the log knows the only one.
type placed struct {
	last  int
	state any
}

func (m Model) step(p placed, op history.Op) (out []any) {
	if op.Place > 0 {
		if op.Place != p.last+1 {
			return nil
		}
		p.last = op.Place
	}
	for _, s := range m.Step(p.state, op) {
		out = append(out, placed{p.last, s})
	}
	return out
}

func (m Model) explain(key string, ops []history.Op, verdict porcupine.CheckResult, info porcupine.LinearizationInfo, l Limits) Result {
	r := violation(m.Name, "%s: no order of its %d operations explains all replies", key, len(ops))
	if verdict == porcupine.Unknown {
		r.Text = fmt.Sprintf("%s: the search through %d operations did not end in %s: nothing is proved (check again with a longer --timeout)", key, len(ops), l.Timeout)
	}
	if l.Dir == "" {
		return r
	}
	r.Picture = filepath.Join(l.Dir, "violation.html")
	if err := porcupine.VisualizePath(m.porcupine(), info, r.Picture); err != nil {
		r.Text += fmt.Sprintf(" (no picture: %v)", err)
		r.Picture = ""
	}
	return r
}
