package trial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/journal"
	"github.com/quorate/quorate/jepsen/nemesis"
	"github.com/quorate/quorate/jepsen/workload"
)

// Verdict is what a run proved.
type Verdict struct {
	Config
	// OK says that every checker passed and that the run tested something.
	OK  bool           `json:"ok"`
	Ops history.Counts `json:"ops"`
	// Faults is how many were done, Bit how many could be seen to have been there.
	Faults   int              `json:"faults"`
	Bit      int              `json:"bit"`
	Results  []check.Result   `json:"results"`
	Recovery []check.Recovery `json:"recovery"`
	// Toll is how much was lost.
	Toll check.Toll `json:"toll"`
	// Patched says what the logs told about operations whose outcome nobody knew.
	Patched string `json:"patched,omitempty"`
	// Whole are the times from the end of each fault until the cluster was whole, Load is the highest load of the machine.
	Whole []time.Duration `json:"whole_ns"`
	Load  float64         `json:"load"`
	// Void says that the run tested nothing: no fault bit, or there was hardly any load. It is no violation, and no proof.
	Void bool `json:"void"`
	// Checking is how long the judges took.
	Checking time.Duration `json:"checking_ns"`
}

// floor is the least number of applied operations per second and run: below, nothing was tested.
const floor = 10

// Check judges the run in dir, now or again, and writes the verdict there. timeout bounds the search of one object.
func Check(dir string, timeout time.Duration) (Verdict, error) {
	began := time.Now()
	var v Verdict
	if err := readJSON(filepath.Join(dir, fileConfig), &v.Config); err != nil {
		return v, fmt.Errorf("%s is no folder of a run: %w", dir, err)
	}
	spec, faults, err := Options{Config: v.Config}.resolve()
	if err != nil {
		return v, err
	}
	ops, j, e, err := read(dir)
	if err != nil {
		return v, err
	}
	whole, err := v.whole(dir, j, e, int64(len(ops)))
	if err != nil {
		return v, err
	}
	patched, logged := v.logs(j, ops, e.Said)
	rules := spec.Rules(workload.Conditions{Skew: needs(faults).Shift + 2*needs(faults).Skew, Evicts: needs(faults).Evicts, Logged: logged})
	v.Results = append(check.Judge(rules, patched, check.Limits{Timeout: timeout, Dir: dir}), v.Results...)
	if err := v.look(dir, ops, e); err != nil {
		return v, err
	}
	events, err := v.faults(dir, ops, len(faults))
	if err != nil {
		return v, err
	}
	v.Ops, v.Toll = count(ops), check.Count(ops)
	v.Results = append(v.Results, v.tested(), whole)
	v.OK = !slices.ContainsFunc(v.Results, func(r check.Result) bool { return !r.OK })
	v.Checking = time.Since(began)
	if err := writeJSON(filepath.Join(dir, fileVerdict), v); err != nil {
		return v, err
	}
	if err := os.WriteFile(filepath.Join(dir, fileText), []byte(v.String()), 0o644); err != nil {
		return v, err
	}
	return v, v.draw(dir, ops, events)
}

// read takes what was recorded from a folder. Without a journal there is none.
func read(dir string) (ops []history.Op, j *journal.Journal, e ending, err error) {
	path := filepath.Join(dir, fileHistory)
	ops, err = history.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, e, fmt.Errorf("%w: it was not recorded, or was removed after a good verdict, as \"jepsen matrix\" does: this run can't be judged again", err)
	}
	if err != nil {
		return nil, nil, e, fmt.Errorf("%s: %w", path, err)
	}
	if err := check.Sound(ops); err != nil {
		return nil, nil, e, fmt.Errorf("%s: %w", path, err)
	}
	path = filepath.Join(dir, fileEnd)
	if err := readJSON(path, &e); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, e, fmt.Errorf("%w: the run was broken off, or the file was lost", err)
	} else if err != nil {
		return nil, nil, e, err
	}
	if j, err = journal.Load(filepath.Join(dir, fileJournal)); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return ops, j, e, err
}

// Load reads the verdict that was given about the run in dir.
func Load(dir string) (v Verdict, err error) {
	return v, readJSON(filepath.Join(dir, fileVerdict), &v)
}

// logs judges by what the nodes have logged, and completes the history from it; logged says that it could.
func (v *Verdict) logs(j *journal.Journal, ops []history.Op, said []client.Digest) (patched []history.Op, logged bool) {
	if j == nil {
		return ops, false
	}
	matching := j.Matching(committed(said))
	v.Results = append(v.Results, matching)
	if len(said) == 0 || !matching.OK {
		return ops, false
	}
	story, err := j.Replay(committed(said))
	if err != nil {
		v.Results = append(v.Results, check.Result{Checker: "replay", Text: err.Error()})
		return ops, false
	}
	v.Results = append(v.Results, story.SameDigests(said), story.Owners(), story.Evictions(), story.Acknowledged(ops), story.Issued(ops), story.InOrder(ops))
	p := story.Patch(ops)
	v.Patched = p.String()
	return p.Ops, story.Whole
}

// committed is what all replicas had applied when they said their digests.
func committed(said []client.Digest) journal.Committed {
	out := journal.Committed{}
	for _, d := range said {
		out[d.Group] = d.Index
	}
	return out
}

// look judges the views and what was found at the end.
func (v *Verdict) look(dir string, ops []history.Op, e ending) error {
	if e.Nemesis == "" && e.LastReads == "" {
		v.Results = append(v.Results, check.LastReads(ops))
	} else if e.LastReads != "" {
		v.Results = append(v.Results, check.Result{Checker: "last reads", Text: e.LastReads})
	}
	if len(v.Cluster) > 0 {
		return nil
	}
	if v.System != redis {
		owners := check.NewOwners()
		if err := eachLine(filepath.Join(dir, fileViews), owners.Add); err != nil {
			return err
		}
		v.Results = append(v.Results, owners.Result())
	}
	if len(e.Held) > 0 {
		v.Results = append(v.Results, leaks(e.Held))
	}
	for _, found := range []struct{ checker, text, good string }{
		{"recovery", e.Nemesis, "the cluster became whole after every fault"},
		{"replicas", e.Digests, "replicas are equal at equal indexes"},
		{"processes", strings.Join(e.Exits, "; "), "no process ended by itself"},
	} {
		r := check.Result{Checker: found.checker, OK: found.text == "", Text: found.good}
		if !r.OK {
			r.Text = found.text
		} else if e.Nemesis != "" || v.System == redis && found.checker == "replicas" {
			continue // not looked at
		}
		v.Results = append(v.Results, r)
	}
	return nil
}

// faults reads the timeline and measures recovery.
func (v *Verdict) faults(dir string, ops []history.Op, planned int) (events []nemesis.Event, err error) {
	var windows []check.Fault
	err = eachLine(filepath.Join(dir, fileFaults), func(e nemesis.Event) {
		v.Faults++
		if e.Bit != "" {
			v.Bit++
		}
		if e.Whole > 0 {
			v.Whole = append(v.Whole, time.Duration(e.Whole-e.Healed))
		}
		v.Load = max(v.Load, e.Load)
		events = append(events, e)
		windows = append(windows, check.Fault{Name: e.Fault + " of " + e.Victim, Inject: e.Injected, Healed: e.Healed})
	})
	v.Recovery = check.Liveness(ops, windows)
	v.Results = append(v.Results, bounds(events)...)
	if planned > 0 && v.Bit == 0 {
		v.Void = true
		v.Results = append(v.Results, check.Result{Checker: "faults", Text: fmt.Sprintf("%d faults were done and none bit: the run is void", v.Faults)})
	}
	return events, err
}

func count(ops []history.Op) (c history.Counts) {
	for _, op := range ops {
		switch op.Outcome {
		case history.Applied:
			c.Applied++
		case history.Failed:
			c.Failed++
		default:
			c.Unknown++
		}
	}
	return c
}

func (v *Verdict) tested() check.Result {
	perSecond := float64(v.Ops.Applied) / v.Duration.Seconds()
	r := check.Result{Checker: "load", OK: perSecond >= floor, Text: fmt.Sprintf("%.0f operations per second were applied", perSecond)}
	if !r.OK {
		r.Text += fmt.Sprintf(": fewer than %d, the run is void", floor)
		v.Void = true
	}
	return r
}
