package sim

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/sim/oracle"
)

// asChild in the environment makes the test binary simulate one job, or hang.
const (
	asChild = "QUORATE_SIM_CHILD"
	hangs   = "hangs"
)

func TestMain(m *testing.M) {
	switch os.Getenv(asChild) {
	case "":
		os.Exit(m.Run())
	case hangs:
		pingPong()
	}
	if err := Child(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{asChild + "=1"}
	return cmd
}

func simulated(t *testing.T, job Job) Report {
	t.Helper()
	r, err := Command(command).Simulate(job, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Violations {
		t.Errorf("%s: %v\n%s", r, v, job.Replay())
	}
	return r
}

// Short runs of every workload under every kind of faults: they find nothing, and they did look.
func TestShortRuns(t *testing.T) {
	s := newSummary()
	for i, workload := range workloads {
		r := simulated(t, Job{Seed: uint64(i), Options: Options{Shape: "dense", Workload: workload, Safety: 20 * time.Second, Families: everything()}})
		if r.Ops.Applied == 0 || r.Counts.Entries == 0 || r.Counts.Compared == 0 || len(r.Faults) == 0 {
			t.Errorf("%s: nothing was tested: %s", workload, r)
		}
		s.add(r)
	}
	bit := 0
	for _, f := range s.Families {
		bit += f.Bit
	}
	t.Logf("%v simulated, %d operations, %d leaders lost, %d restarts, %d faults bit", s.Simulated, s.Ops.Total(), s.Elections, s.Restarts, bit)
	if s.Elections == 0 || s.Restarts == 0 || bit == 0 {
		t.Error("the faults did not hurt")
	}
}

// What each of these does to a cluster is seen, and does no harm.
func TestFamiliesBite(t *testing.T) {
	for i, family := range []string{"members", "corruption", "wire", "breaks", "memory"} {
		r := simulated(t, Job{Seed: uint64(i), Options: Options{
			Shape: "dense", Workload: "cas", Safety: 30 * time.Second, Pace: time.Second, Overlap: 2, Nodes: 4, Families: []string{family},
		}})
		if !slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Family == family && f.Bit }) {
			t.Errorf("%s never bit: %s", family, r)
		}
	}
}

func everything() (names []string) {
	for _, f := range Families() {
		if !f.story {
			names = append(names, f.Name)
		}
	}
	return names
}

// The same seed gives the same run, to the last message, whether somebody reads along or not, and whatever the environment.
func TestSeedsReplay(t *testing.T) {
	for seed := range uint64(2) {
		job := Job{Seed: 100 + seed, Options: Options{Shape: "dense", Safety: 10 * time.Second}}
		first := simulated(t, job)
		job.Trace = true
		t.Setenv("QUORATE_SIM_NOISE", strings.Repeat("x", 1000))
		if again := simulated(t, job); again.Trace != first.Trace && first.Steady && again.Steady {
			t.Errorf("seed %d gave two runs:\n%s\n%s", job.Seed, first, again)
		}
		job.Seed, job.Trace = job.Seed+1000, false
		if other := simulated(t, job); other.Trace == first.Trace {
			t.Errorf("seeds %d and %d gave the same run", job.Seed-1000, job.Seed)
		}
	}
}

func TestPlansFollowFromSeeds(t *testing.T) {
	used := map[string]int{}
	for seed := range uint64(500) {
		p := NewPlan(seed, Options{})
		if err := p.check(); err != nil {
			t.Fatal(err)
		}
		for _, f := range p.Families {
			used[f]++
		}
		if len(p.Families) == 0 {
			used[none]++
		}
		used[p.Workload]++
		used[p.Shape]++
	}
	shapes := []string{}
	for _, s := range Shapes() {
		shapes = append(shapes, s.Name)
	}
	for _, what := range slices.Concat(everything(), workloads, shapes, []string{none}) {
		if used[what] == 0 {
			t.Errorf("no seed uses %s", what)
		}
	}
	p := NewPlan(7, Options{Families: []string{"kill"}, Clients: 1, Groups: 1, Safety: time.Minute, Workload: "cas"})
	if !slices.Equal(p.Families, []string{"kill"}) || p.Clients != 1 || p.Groups != 1 || p.Safety != time.Minute || p.Workload != "cas" {
		t.Errorf("options are not followed: %+v", p)
	}
}

func TestImpossiblePlansAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"an unknown family":   {Families: []string{"meteor"}},
		"an unknown workload": {Workload: "dance"},
		"too many clients":    {Clients: 1000},
		"an unknown shape":    {Shape: "cube"},
		"an unknown script":   {Script: "tale"},
		"an unknown guard":    {Mutation: "consensus.Nothing"},
	} {
		if _, err := Command(command).Simulate(Job{Options: o}, nil); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

// A farm works through its seeds, adds them up and keeps them.
func TestFarm(t *testing.T) {
	dir := t.TempDir()
	seen := 0
	f := Farm{
		Command: command, First: 1, Last: 3, Jobs: 2, Dir: dir, Options: Options{Safety: 2 * time.Second, Families: []string{}},
		Progress: func(Summary, Report) { seen++ },
	}
	s, err := f.Run(t.Context())
	if err != nil || s.Runs != 3 || seen != 3 || s.Violated != 0 || s.Families[len(s.Families)-1].Runs != 3 {
		t.Errorf("%+v after %d reports, %v", s, seen, err)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "runs.jsonl"))
	if err != nil || strings.Count(string(kept), "\n") != 3 {
		t.Errorf("%d lines were kept, %v", strings.Count(string(kept), "\n"), err)
	}
	f.Build = "b1"
	for range 2 {
		if _, err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	again, err := ReadSummary(dir)
	if err != nil || again.Runs != 3 || again.Ops != s.Ops || again.Simulated != s.Simulated || again.First != 1 || again.Last != 3 || again.Repeats != 6 {
		t.Errorf("read back: %+v, %v", again, err)
	}
	if text := again.Markdown(); !strings.HasPrefix(text, "3 runs, seeds 1 to 3: ") || strings.Count(text, "\n| ") != len(s.Families)+1 {
		t.Errorf("as Markdown:\n%s", text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := f.Run(ctx); err != nil || s.Runs != 0 {
		t.Errorf("after the end it did %d runs, %v", s.Runs, err)
	}
}

// The same seed of the same build shows nothing new, however often it is run.
func TestRepeatsDoNotCount(t *testing.T) {
	run := func(seed uint64, build, trace string, found ...oracle.Violation) Report {
		return Report{Plan: NewPlan(seed, Options{}), Build: build, Trace: trace, Simulated: time.Hour, Violations: found}
	}
	bad := oracle.Violation{Checker: "register"}
	other := run(1, "b1", "t9")
	other.Plan.Clients++
	for name, c := range map[string]struct {
		runs                    []Report
		count, repeats, undated int
	}{
		"two seeds":                          {[]Report{run(1, "b1", "t1"), run(2, "b1", "t2")}, 2, 0, 0},
		"one seed twice":                     {[]Report{run(1, "b1", "t1"), run(1, "b1", "t1")}, 1, 1, 0},
		"one seed of two builds":             {[]Report{run(1, "b1", "t1"), run(1, "b2", "t1")}, 2, 0, 0},
		"one seed under other options":       {[]Report{run(1, "b1", "t1"), other}, 2, 0, 0},
		"nobody knows the builds":            {[]Report{run(1, "", "t1"), run(1, "", "t1"), run(1, "", "t2")}, 2, 1, 2},
		"nobody knows one of them":           {[]Report{run(1, "", "t1"), run(1, "b1", "t1")}, 1, 1, 1},
		"nobody knows the other":             {[]Report{run(1, "b1", "t1"), run(1, "", "t1")}, 1, 1, 0},
		"neither builds nor traces":          {[]Report{run(1, "", ""), run(1, "", "")}, 2, 0, 2},
		"a violation that was not there yet": {[]Report{run(1, "b1", "t1"), run(1, "b1", "t2", bad)}, 2, 0, 0},
		"a violation again":                  {[]Report{run(1, "b1", "t1", bad), run(1, "b1", "t1", bad)}, 1, 1, 0},
	} {
		s := newSummary()
		for _, r := range c.runs {
			s.add(r)
		}
		if s.Runs != c.count || s.Repeats != c.repeats || s.Undated != c.undated || s.Simulated != time.Duration(c.count)*time.Hour {
			t.Errorf("%s: %d runs, %d repeats, %d without a build, %v", name, s.Runs, s.Repeats, s.Undated, s.Simulated)
		}
		if text := s.Markdown(); strings.Contains(text, "repeats, and not counted") != (c.repeats > 0) || strings.Contains(text, "not taken down") != (c.undated > 0) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestShortTimesAreNotNone(t *testing.T) {
	s := newSummary()
	s.add(Report{Simulated: 2 * time.Second, CPU: 70 * time.Millisecond})
	if text := s.Markdown(); !strings.Contains(text, "0.0006 simulated hours in 70ms of one processor") {
		t.Error(text)
	}
}

func TestReductionsAreSmaller(t *testing.T) {
	r := Report{Plan: NewPlan(3, Options{Families: []string{"kill", "crash", "halves", "clock"}, Safety: time.Minute, Clients: 4, Groups: 4})}
	r.Violations = []oracle.Violation{{At: 10 * time.Second, Checker: "x"}}
	for _, o := range reductions(r) {
		p := NewPlan(3, o)
		if len(p.Families) >= 4 && p.Safety >= time.Minute && p.Clients >= 4 && p.Groups >= 4 {
			t.Errorf("%+v is not smaller", o)
		}
		if !slices.Equal(p.Families, o.Families) {
			t.Errorf("%+v leads to %v", o, p.Families)
		}
	}
	want := "quorate jepsen sim --replay 3 --families none --safety 1s"
	if got := (Job{Seed: 3, Options: Options{Families: []string{}, Safety: time.Second}}).Replay(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
