//go:build mutation

package sim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAFindingIsMadeSmaller plants a bug that followers' readers see while a leader is cut off, hides it among other faults, and
// wants the farm to come back with less that breaks the same rule, and with the trace of that.
func TestAFindingIsMadeSmaller(t *testing.T) {
	var found, shrunk Report
	var small Job
	f := Farm{
		Command: command, First: 1, Last: 20, Stop: true, Dir: t.TempDir(),
		Options: Options{
			Mutation: "shardgroup.ReadIndex", Workload: "follower", Shape: "dense", Families: []string{"isolate", "kill", "slow-net", "clock"},
			Pace: time.Second, Safety: 30 * time.Second, Clients: 6, Groups: 2,
		},
		Progress: func(_ Summary, r Report) { found = r },
		Shrunk:   func(r Report, j Job) { shrunk, small = r, j },
	}
	s, err := f.Run(t.Context())
	if err != nil || s.Violated != 1 || len(shrunk.Violations) == 0 {
		t.Fatalf("the planted bug was not found in %d runs: %v", s.Runs, err)
	}
	before, after := found.Plan, shrunk.Plan
	t.Logf("after %d runs: %s\nsmallest: %s\n%s", s.Runs, found, shrunk, small.Replay())
	rule := found.Violations[0].Checker
	if shrunk.Violations[0].Checker != rule || small.Options.Mutation != before.Mutation {
		t.Errorf("found was %q without %q, the smallest run shows %q without %q", rule, before.Mutation, shrunk.Violations[0].Checker, small.Options.Mutation)
	}
	if len(after.Families) >= len(before.Families) || after.Safety > before.Safety || after.Clients > before.Clients || after.Groups > before.Groups {
		t.Errorf("%v, %v, %d clients, %d groups are not less than %v, %v, %d clients, %d groups",
			after.Families, after.Safety, after.Clients, after.Groups, before.Families, before.Safety, before.Clients, before.Groups)
	}
	f.kept(t, found, shrunk, small)
}

// kept checks what the farm has left of a violation, and that the smallest job shows it again.
func (f *Farm) kept(t *testing.T, found, shrunk Report, small Job) {
	dirs, err := filepath.Glob(filepath.Join(f.Dir, "seed-*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("folders of violations: %v, %v", dirs, err)
	}
	trace, err := os.ReadFile(filepath.Join(dirs[0], "trace.txt"))
	if err != nil || !strings.Contains(string(trace), "start n1 (life 1)") || !strings.Contains(string(trace), shrunk.Violations[0].Text) {
		t.Errorf("the trace of %d bytes does not tell of the start and of %q: %v", len(trace), shrunk.Violations[0].Text, err)
	}
	var job Job
	b, err := os.ReadFile(filepath.Join(dirs[0], "smallest.json"))
	if err == nil {
		err = json.Unmarshal(b, &job)
	}
	if err != nil || job.Replay() != small.Replay() {
		t.Errorf("kept was %q, not %q: %v", job.Replay(), small.Replay(), err)
	}
	again, err := f.Command.Simulate(job, nil)
	if err != nil || again.OK() || again.Violations[0].Checker != found.Violations[0].Checker {
		t.Errorf("run again, the smallest job shows %v, %v", again.Violations, err)
	}
}
