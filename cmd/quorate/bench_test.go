package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/jepsen/failover"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/rolling"
	"github.com/quorate/quorate/jepsen/versus"
)

// TestMain lets the test's binary be the server that benchmarks start: its own arguments begin with a dash, a verb does not.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		return
	}
	os.Exit(m.Run())
}

// quorate runs a command line in this process.
func quorate(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	return quorateUntil(t.Context(), t, args...)
}

// quorateUntil interrupts it when ctx ends.
func quorateUntil(ctx context.Context, t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	return quorateHeard(ctx, t, io.Discard, args...)
}

// quorateHeard copies to heard what it says meanwhile.
func quorateHeard(ctx context.Context, t *testing.T, heard io.Writer, args ...string) (stdout string, err error) {
	t.Helper()
	var out, progress bytes.Buffer
	c := root()
	c.SetOut(&out)
	c.SetErr(io.MultiWriter(&progress, heard))
	c.SetArgs(args)
	err = c.ExecuteContext(ctx)
	if t.Failed() || err != nil {
		t.Logf("quorate %s: %v\n%s", strings.Join(args, " "), err, progress.String())
	}
	return out.String(), err
}

func TestEveryBenchmarkExplainsItself(t *testing.T) {
	bench, _, err := root().Find([]string{"bench"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append([]*cobra.Command{bench}, bench.Commands()...) {
		if c.Short == "" || c.Long == "" || c.Flags().Lookup("output") == nil {
			t.Errorf("%s lacks a description or --output", c.CommandPath())
		}
	}
}

// TestBenchmarksFailIfTheClusterDid: scripts look at the status, not at the table.
func TestBenchmarksFailIfTheClusterDid(t *testing.T) {
	fine := []failover.Row{{Fault: "kill", GoRedisErrors: 70, Refused: 9, Unknown: 1}, {Fault: "pause"}}
	if err := failoverError(fine); err != nil {
		t.Errorf("errors that a fault may cause: %v", err)
	}
	fine[1].Violations = []string{"a stale read", "another"}
	if err := failoverError(fine); err == nil || err.Error() != "2 violations" {
		t.Errorf("two violations: %v", err)
	}
	for name, c := range map[string]struct {
		r      rolling.Result
		failed bool
	}{
		"nothing":     {rolling.Result{Rows: []rolling.Row{{Commands: 3}, {Commands: 4}}}, false},
		"an error":    {rolling.Result{Rows: []rolling.Row{{Commands: 3}, {Commands: 4, Errors: 1}}}, true},
		"a violation": {rolling.Result{Rows: []rolling.Row{{Commands: 3}}, Violations: []string{"lost"}}, true},
	} {
		if err := rollingError(c.r); (err != nil) != c.failed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPartialRowShowsNoTimeThatNobodyMeasured(t *testing.T) {
	for name, c := range map[string]struct {
		r    failover.Row
		want []string
	}{
		"whole":                  {failover.Row{Recovery: 2 * time.Second}, []string{"2s", "> 5s"}},
		"ended after recovery":   {failover.Row{Recovery: 2 * time.Second, Partial: "x"}, []string{"2s", "-"}},
		"ended before it struck": {failover.Row{Partial: "x"}, []string{"-", "-"}},
	} {
		if got := []string{plainTime(c.r), goRedisTime(c.r, 3*time.Second)}; !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestTheRateThatWasAskedForIsShown(t *testing.T) {
	p := load.Plan{Clients: 1, Pipeline: 1, Rate: 5000}
	var out strings.Builder
	writeResult(&out, p, load.Result{OpsPerSec: 4613, Unanswered: 38})
	for _, want := range []string{"4613 of 5000", "38 operations were not answered by the end"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	p.Rate = 0
	if writeResult(&out, p, load.Result{OpsPerSec: 4613, Unanswered: 38}); strings.Contains(out.String(), " of ") || strings.Contains(out.String(), "due") {
		t.Errorf("a closed loop asks for no rate, and nothing is due in it:\n%s", out.String())
	}
}

func TestRedirectsAreTold(t *testing.T) {
	for n, want := range map[int64]bool{0: false, 7: true} {
		var out strings.Builder
		writeResult(&out, load.Plan{}, load.Result{Errors: n, Redirects: n})
		if got := strings.Contains(out.String(), "7 of the errors were MOVED"); got != want {
			t.Errorf("%d redirects:\n%s", n, out.String())
		}
	}
}

func TestCommandLinesHideThePassword(t *testing.T) {
	got := withoutPassword([]string{"/tmp/x/quorate", "bench", "--password", "secret", "--quorate-flags", "--reads quorum"})
	if want := "quorate bench --password … --quorate-flags '--reads quorum'"; got != want {
		t.Errorf("got %s", got)
	}
	if got := withoutPassword([]string{"quorate", "--password=secret"}); strings.Contains(got, "secret") {
		t.Errorf("got %s", got)
	}
}

// startServers runs three servers for a test.
func startServers(t *testing.T, port int) *process.Cluster {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c, err := process.Start(t.Context(), process.Options{Binary: binary, Dir: t.TempDir(), Nodes: 3, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBenchMeasuresACluster(t *testing.T) {
	c := startServers(t, 21801)
	line := []string{
		"bench", "--addr", strings.Join(c.Addrs(), ","), "--duration", "300ms", "--warmup", "10ms", "--interval", "100ms",
		"--keys", "500", "--reads", "0.5", "--hits", "0.5", "-c", "6", "-P", "4", "--output",
	}
	out, err := quorate(t, append(line, "json")...)
	if err != nil {
		t.Fatal(err)
	}
	var r load.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Ops == 0 || r.Misses == 0 || len(r.Intervals) == 0 || len(r.Percentiles) == 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	for format, want := range map[string]string{"html": "<svg", "text": "P99.9"} {
		if out, err := quorate(t, append(line, format)...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, no %s in\n%s", format, err, want, out)
		}
	}
}

// TestAnInterruptedBenchPrintsWhatItSaw, marks it, and fails.
func TestAnInterruptedBenchPrintsWhatItSaw(t *testing.T) {
	c := startServers(t, 22601)
	for format, want := range map[string]string{"text": "Interrupted: ", "json": `"interrupted": true`, "html": "Interrupted: "} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		out, err := quorateUntil(ctx, t, "bench", "--addr", strings.Join(c.Addrs(), ","), "--fill=false", "--duration", "1h", "--warmup", "0", "-c", "6", "--output", format)
		cancel()
		if err == nil || !strings.HasPrefix(err.Error(), "interrupted after ") || !strings.Contains(out, want) {
			t.Errorf("%s: %v, no %s in\n%s", format, err, want, out)
		}
	}
}

func TestGroupSnapshot(t *testing.T) {
	c := startServers(t, 22501)
	addr := "--addr=" + strings.Join(c.Addrs(), ",")
	if _, err := quorate(t, "bench", addr, "--duration", "10ms", "--warmup", "0", "--keys", "500", "-c", "3"); err != nil {
		t.Fatal(err)
	}
	var first, again []client.Snapshot
	for _, into := range []*[]client.Snapshot{&first, &again} {
		out, err := quorate(t, "group", "snapshot", addr, "--output", "json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(out), into); err != nil || len(*into) != 9 {
			t.Fatalf("%v: want 3 groups' 3 replicas in %s", err, out)
		}
	}
	for i, s := range first {
		if s.Index == 0 || s.Bytes < 500/3*64/2 || s.Micros == 0 {
			t.Errorf("group %d, node %s: %+v", s.Group, s.Node, s)
		}
		if again[i].Index < s.Index {
			t.Errorf("group %d, node %s: the next snapshot is at %d, before %d", s.Group, s.Node, again[i].Index, s.Index)
		}
	}
	if _, err := quorate(t, "group", "snapshot", "99", addr); err == nil {
		t.Error("a group that does not exist has a snapshot")
	}
	if out, err := quorate(t, "group", "snapshot", "1", addr); err != nil || strings.Count(out, "\n") != 4 {
		t.Errorf("%v: want a head and three replicas:\n%s", err, out)
	}
}

// installed are Quorate's systems, and the peers whose servers this machine has.
func installed() string {
	systems := "quorate-interval,quorate-always-quorum"
	for program, name := range map[string]string{"redis-server": "redis-always-wait", "etcd": "etcd"} {
		if _, err := exec.LookPath(program); err == nil {
			systems = name + "," + systems
		}
	}
	return systems
}

// peerOfCurve is Redis Cluster, if this machine has it.
func peerOfCurve() string {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return ""
	}
	return "redis-everysec"
}

// checkPairs: every other measurement is one with snapshots, and what held groups up was seen in each.
func checkPairs(t *testing.T, report string) {
	var r struct{ Results []versus.SnapshotRow }
	if err := json.Unmarshal([]byte(report), &r); err != nil || len(r.Results) != 4 {
		t.Fatalf("%v: %d measurements, want 4", err, len(r.Results))
	}
	for i, row := range r.Results {
		if with := i%2 == 1; with != (row.Snapshots > 0) || with != (row.Mark.Count > 0) {
			t.Errorf("measurement %d has %d snapshots and %d marks", i, row.Snapshots, row.Mark.Count)
		}
		if row.Apply.Count == 0 || row.Apply.P999 > row.Apply.Longest || row.Steadiness.Samples == 0 {
			t.Errorf("measurement %d: %+v", i, row)
		}
	}
}

func TestReportsOfRealProcesses(t *testing.T) {
	for name, line := range map[string]string{
		"peers":       "bench peers --pairs 1 -P 1,4 --keys 200 -c 6 --settle 100ms --duration 100ms --warmup 10ms --port 21901 --systems " + installed(),
		"memory":      "bench memory --keys 2000 --settle 100ms --port 22001 --systems quorate-always",
		"idle":        "bench idle --groups 2 --settle 10ms --duration 100ms --port 22101",
		"curve-keys":  "bench curve keys --values 100,200 -c 6 --duration 100ms --warmup 10ms --port 22201 --peer=" + peerOfCurve(),
		"snapshot":    "bench snapshot --keys 5000 -c 6 --rate 500 --pairs 2 --duration 300ms --warmup 10ms --port 22401",
		"curve-group": "bench curve groups --values 2 --rounds 2 -c 6 --keys 100 --duration 100ms --warmup 10ms --port 22301",
	} {
		dir := t.TempDir()
		out, err := quorate(t, append(strings.Fields(line), "--output", "json", "--dir", dir)...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s left %v behind, %v", name, left, err)
		}
		var r versus.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(r.Name, name) || len(r.Servers) == 0 || r.Machine.Disk == "" || time.Since(r.Date) > time.Hour {
			t.Errorf("%s: got %+v", name, r)
		}
		if figures, ok := r.Results.([]any); ok && len(figures) == 0 || r.Results == nil {
			t.Errorf("%s: no figures in %s", name, out)
		}
		if name == "snapshot" {
			checkPairs(t, out)
		}
		if name == "curve-group" && !strings.Contains(out, "Medians of 2 rounds") {
			t.Errorf("%s: no word of two rounds in %s", name, out)
		}
		if name == "curve-keys" && strings.Contains(out, `"peer_set"`) != (peerOfCurve() != "") {
			t.Errorf("%s: the peer %q is missing in %s, or is there", name, peerOfCurve(), out)
		}
	}
}

func TestTheDisplayHasTheLastInterval(t *testing.T) {
	now := load.Progress{Elapsed: 2 * time.Second, Ops: 600, Errors: 3}
	if got := courseOf(load.Plan{Duration: time.Minute}, now); len(got) != 1 || got[0] != "2s of 1m0s: 600 ops, 300/s, 3 errors" {
		t.Errorf("at first: %q", got)
	}
	now.Last = &load.Interval{OpsPerSec: 40, CPUs: 0.5, Latency: load.Latency{P50: 90, P99: 1500, Max: 900_000}}
	const want = "at last 40/s, p50 90µs, p99 1.5ms, max 900ms"
	if got := courseOf(load.Plan{Duration: time.Minute}, now); len(got) != 2 || got[1] != want {
		t.Errorf("then: %q, want %q", got, want)
	}
	if got := courseOf(load.Plan{Duration: time.Minute, Pids: []int{1}}, now)[1]; got != want+", servers busy on 0.50 cores" {
		t.Errorf("with processes: %q", got)
	}
}
