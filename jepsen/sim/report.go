package sim

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	"github.com/zeebo/xxh3"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/journal"
	"github.com/quorate/quorate/jepsen/sim/bubble"
	"github.com/quorate/quorate/jepsen/sim/oracle"
	"github.com/quorate/quorate/jepsen/workload"
)

// Report is what became of one run.
type Report struct {
	Plan Plan `json:"plan"`
	// Build names the executable: with the same one a plan gives the same run.
	Build string `json:"build,omitempty"`
	// Violations are what cannot be in a correct cluster, the first first; none is what everybody hopes for.
	Violations []oracle.Violation `json:"violations,omitempty"`
	// Simulated is virtual time, Real what the clock on the wall says that it took, CPU what the processor spent, and Memory the
	// most that the process had, in bytes.
	Simulated time.Duration  `json:"simulated_ns"`
	Real      time.Duration  `json:"real_ns"`
	CPU       time.Duration  `json:"cpu_ns"`
	Memory    int64          `json:"memory_bytes,omitempty"`
	Ops       history.Counts `json:"ops"`
	Counts    oracle.Counts  `json:"counts"`
	Messages  int            `json:"messages"`
	// Starts are of processes, beyond each node's first.
	Restarts int     `json:"restarts"`
	Faults   []Fault `json:"faults"`
	// Trace identifies the whole run: two runs with the same one did the same.
	Trace string `json:"trace"`
	// Steady says that the seed will give the same run again.
	Steady bool `json:"steady"`
	// History is what the clients saw, as JSON lines, if there is a violation.
	History string `json:"history,omitempty"`
}

// OK says that nothing was found.
func (r Report) OK() bool { return len(r.Violations) == 0 }

// checkTimeout bounds the search of one object; the logs tell nearly everything, so that it is far from being reached.
const checkTimeout = 20 * time.Second

// report judges a run.
func (r *run) report() Report {
	o := r.c.oracle
	out := Report{
		Plan: r.plan, Simulated: r.elapsed, Counts: o.Counts(), Messages: r.c.net.Stats().Messages, Faults: r.faults, Steady: bubble.Steady(),
	}
	for _, s := range r.c.nodes {
		out.Restarts += int(s.lives) - 1
	}
	if r.writer != nil {
		out.Ops = r.writer.Counts()
	}
	out.Violations = append(o.Violations(), r.verdicts()...)
	if !out.OK() {
		out.History = r.history.String()
	}
	sum := xxh3.HashString128(r.c.trace.digest() + r.history.String()).Bytes()
	out.Trace = hex.EncodeToString(sum[:])
	return out
}

// verdicts are the violations that show only when all is over.
func (r *run) verdicts() (out []oracle.Violation) {
	if n := r.c.net.Stats().Silent; n > 0 {
		out = append(out, oracle.Violation{At: r.elapsed, Checker: "frames", Text: fmt.Sprintf("%d damaged messages were taken for good ones", n)})
	}
	if r.writer == nil {
		return out
	}
	for _, v := range r.judge() {
		if !v.OK {
			out = append(out, oracle.Violation{At: r.elapsed, Checker: v.Checker, Text: v.Text})
		}
	}
	return out
}

// judge checks the clients' history and the log that the oracle saw.
func (r *run) judge() (results []check.Result) {
	if err := r.writer.Flush(); err != nil {
		return []check.Result{{Checker: "history", Text: err.Error()}}
	}
	var ops []history.Op
	err := history.Read(bytes.NewReader(r.history.Bytes()), func(op history.Op) error {
		ops = append(ops, r.pardon(op))
		return nil
	})
	if err == nil {
		err = check.Sound(ops)
	}
	if err != nil {
		return []check.Result{{Checker: "history", Text: err.Error()}}
	}
	if len(ops) == 0 {
		return []check.Result{{Checker: "history", Text: "it is empty: nothing is proved"}}
	}
	j, committed := r.journal()
	story, err := j.Replay(committed)
	if err != nil {
		return []check.Result{{Checker: "replay", Text: err.Error()}}
	}
	results = append(results, story.Evictions(), story.Acknowledged(ops), story.Issued(ops), story.InOrder(ops), story.Owners(), story.SameDigests(r.digests()))
	spec, _ := workload.Named(r.plan.Workload)
	rules := spec.Rules(workload.Conditions{Skew: r.skew(), Logged: true})
	return append(results, check.Judge(rules, story.Patch(ops).Ops, check.Limits{Timeout: checkTimeout})...)
}

// pardon makes an operation's outcome unknown if its group has lost entries with the power of a majority while it ended: then a
// write may be gone that was acknowledged, and a read may have seen one.
func (r *run) pardon(op history.Op) history.Op {
	m := r.c.known()
	g := m.Slots[slot.Of([]byte(op.Key))]
	if op.Outcome == history.Applied && r.c.oracle.Lost(g, r.clients+time.Duration(op.Return)) {
		op.Outcome, op.Reply = history.Unknown, nil
	}
	return op
}

// journal is the log that all replicas share, as if one node had kept all of it.
func (r *run) journal() (*journal.Journal, journal.Committed) {
	j, committed := &journal.Journal{Nodes: []string{"all"}}, journal.Committed{}
	for _, g := range r.c.oracle.Groups() {
		log := r.c.oracle.Log(g)
		last := log[len(log)-1].Index
		if m, compared := r.c.marks[g]; compared {
			last = m.index
		}
		committed[g] = last
		j.Spans = append(j.Spans, journal.Span{Group: g, First: 1, Last: last})
		for _, e := range log {
			j.Entries = append(j.Entries, journal.Entry{Group: g, Index: e.Index, Term: e.Term, Type: raft.LogCommand, Data: e.Data, Nodes: []int{0}})
		}
	}
	return j, committed
}

// digests are the replicas' at the last index at which they were compared.
func (r *run) digests() (out []client.Digest) {
	for _, g := range r.c.oracle.Groups() {
		if m, compared := r.c.marks[g]; compared {
			out = append(out, client.Digest{Group: g, Node: "all", Index: m.index, Sum: m.digest.String()})
		}
	}
	return out
}

// skew is by how much the nodes' clocks may have been apart.
func (r *run) skew() time.Duration {
	if slices.Contains(r.plan.Families, "clock") {
		return 3 * time.Hour
	}
	return 2*r.plan.Election + time.Second
}

// String is the report on one line.
func (r Report) String() string {
	verdict := "ok"
	if !r.OK() {
		verdict = r.Violations[0].String()
	}
	return fmt.Sprintf("seed %d: %v on %d nodes, %s, %v: %d ops, %d leader losses, %d restarts, %d faults: %s",
		r.Plan.Seed, r.Simulated.Round(time.Second), r.Plan.Nodes, r.Plan.Workload, r.Plan.Families, r.Ops.Total(), r.Counts.Elections, r.Restarts, len(r.Faults), verdict)
}
