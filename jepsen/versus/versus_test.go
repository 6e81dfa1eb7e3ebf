package versus

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/client/load"
)

func TestSpread(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   Spread
		text   string
	}{
		"nothing":                   {nil, Spread{}, "0.0"},
		"one value has no range":    {[]float64{2}, Spread{2, 2, 2}, "2.0"},
		"the middle of three":       {[]float64{3, 1, 2}, Spread{2, 1, 3}, "2.0 (1.0–3.0)"},
		"the lower middle of four":  {[]float64{4, 1, 3, 2}, Spread{2, 1, 4}, "2.0 (1.0–4.0)"},
		"an outlier is no majority": {[]float64{1, 1, 90}, Spread{1, 1, 90}, "1.0 (1.0–90.0)"},
	} {
		if got := spreadOf(c.values); got != c.want || got.format("%.1f") != c.text {
			t.Errorf("%s: got %+v, %q", name, got, got.format("%.1f"))
		}
	}
}

func TestRatiosAreTakenPairByPair(t *testing.T) {
	// The second pair ran on a machine half as fast: the ratio stays.
	if got := spreadOf(ratios([]float64{30, 15}, []float64{10, 5})); got != (Spread{3, 3, 3}) {
		t.Errorf("got %+v", got)
	}
	if got := ratios([]float64{1, 2}, []float64{0, 1}); len(got) != 1 || got[0] != 2 {
		t.Errorf("a pair without a measurement gives %v", got)
	}
}

func TestChooseRefuses(t *testing.T) {
	for name, names := range map[string][]string{"unknown": {"memcached"}, "twice": {"etcd", "etcd"}, "none": nil} {
		if _, err := choose(names); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if all, err := choose(SystemNames()); err != nil || len(all) != len(Systems()) {
		t.Errorf("all systems: %d, %v", len(all), err)
	}
	if _, err := chooseQuorate("etcd"); err == nil {
		t.Error("etcd has groups")
	}
}

// oneRound is a comparison as if it had been measured.
func oneRound() (Options, []System, measured) {
	o := Options{Pipelines: []int{1, 16}, Hits: 0.95, Pairs: 1}
	systems, _ := choose([]string{"redis-everysec", "etcd", "quorate-always"})
	all := measured{}
	for i, w := range o.workloads() {
		all[w] = map[string][]outcome{}
		for j, s := range systems {
			if w.Pipeline == 1 || s.pipelines {
				r := load.Result{OpsPerSec: float64(1000 * (j + 1)), CPUPerOp: 10 * float64(i+1), Gets: 100, Misses: 5}
				all[w][s.Name] = []outcome{{Result: r, logWrites: Pauses{P99: 0.001 * float64(j)}}}
			}
		}
	}
	return o, systems, all
}

func TestFiguresCompareQuorateToEachPeer(t *testing.T) {
	o, systems, all := oneRound()
	c := Comparison{Rows: o.rows(systems, all), Ratios: o.ratios(systems, all)}
	if len(c.Rows) != 2*3+2*2 || len(c.Ratios) != 2*2+2*1 {
		t.Fatalf("%d rows and %d ratios", len(c.Rows), len(c.Ratios))
	}
	if r := c.Ratios[0]; r.System != "quorate-always" || r.Peer != "redis-everysec" || r.Ops.Median != 3 || r.CPU.Median != 1 {
		t.Errorf("got %+v", r)
	}
	if h := c.Rows[0].Hits; h != 0.95 {
		t.Errorf("hits %v", h)
	}
	if us := c.Rows[2].LogWrite.Median; us != 2000 {
		t.Errorf("log writes of 2 ms became %v µs", us)
	}
}

// A run that ends in its second round has measured some loads twice, others once.
func TestThePartialComparisonSaysHowManyRoundsItHas(t *testing.T) {
	o, systems, all := oneRound()
	o.Pairs = 3
	note := func() string {
		var r Report
		o.report(&r, systems, all)
		return r.Notes[0]
	}
	if got := note(); !strings.HasPrefix(got, "Medians of 1 of 3 interleaved rounds") {
		t.Errorf("after the first round: %s", got)
	}
	again := func(w Workload, system string) { all[w][system] = append(all[w][system], all[w][system][0]) }
	again(o.workloads()[0], systems[0].Name)
	if got := note(); !strings.HasPrefix(got, "Medians of 1 to 2 of 3 interleaved rounds") {
		t.Errorf("within the second round: %s", got)
	}
	if rows := o.rows(systems, all); rows[0].Rounds != 2 || rows[1].Rounds != 1 {
		t.Errorf("got %d and %d rounds, want 2 and 1", rows[0].Rounds, rows[1].Rounds)
	}
	o.Pairs = 1
	_, _, all = oneRound()
	if got := note(); !strings.HasPrefix(got, "Medians of 1 interleaved rounds") {
		t.Errorf("a whole one: %s", got)
	}
}

// A load with fewer clients than nodes would be refused, but only after the fill.
func TestClientsMustBeEnoughForAllNodes(t *testing.T) {
	for name, c := range map[string]struct {
		system                string
		clients, keys, groups int
		want                  string
	}{
		"too few for Redis":           {"redis-everysec", 2, 100, 0, "2 clients for 3 nodes: some would get no load; want --clients 3 or more"},
		"too few for Quorate":         {"quorate-always", 1, 100, 128, "1 clients for 3 nodes: some would get no load; want --clients 3 or more"},
		"enough":                      {"quorate-always", 3, 100, 0, ""},
		"any member of etcd will do":  {"etcd", 1, 100, 0, ""},
		"one key is on one node":      {"redis-always-wait", 1, 1, 0, ""},
		"one group has one leader":    {"quorate-interval", 1, 100, 1, ""},
		"two groups have two":         {"quorate-interval", 1, 100, 2, "want --clients 2 or more"},
		"groups are none of a peer's": {"redis-everysec", 1, 100, 1, "want --clients 3 or more"},
	} {
		s, err := choose([]string{c.system})
		if err != nil {
			t.Fatal(err)
		}
		err = s[0].checkClients("--clients", c.clients, c.keys, c.groups)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAnOpenLoopIsMeasuredAtPipelineOne(t *testing.T) {
	o := Options{Pipelines: []int{16}, Rate: 300, Hits: 0.9}
	all := o.workloads()
	last := all[len(all)-1]
	if len(all) != 4 || last.String() != "GET P=1 at 300/s" {
		t.Fatalf("got %v", all)
	}
	if p := last.apply(load.Plan{}, o.Hits); p.Reads != 1 || p.Rate != 300 || p.Absent < 0.099 || p.Absent > 0.101 {
		t.Errorf("got %+v", p)
	}
	if p := all[0].apply(load.Plan{}, o.Hits); p.Reads != 0 || p.Absent != 0 || p.Pipeline != 16 {
		t.Errorf("got %+v", p)
	}
}

func sample() Report {
	o, systems, all := oneRound()
	c := Comparison{Rows: o.rows(systems, all), Ratios: o.ratios(systems, all)}
	return Report{
		Name: comparison, Command: "quorate bench peers --pairs 1", Commit: "abc+", Date: time.Unix(0, 0).UTC(), Results: c, Tables: c.tables(),
		Servers: []Server{{Name: "etcd", Title: "three members", Version: "3.4", Command: "etcd --name m0"}}, Notes: []string{"A note."},
	}
}

func TestEveryFormatNamesCommandCommitAndServers(t *testing.T) {
	for _, format := range []string{"text", "json", "markdown"} {
		var b strings.Builder
		if err := sample().Write(&b, format); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"quorate bench peers --pairs 1", "abc+", "etcd --name m0", "3.4", "A note.", "quorate-always"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s lacks %q:\n%s", format, want, b.String())
			}
		}
		if format == "json" && !json.Valid([]byte(b.String())) {
			t.Error("the JSON is none")
		}
	}
	if sample().Write(&strings.Builder{}, "yaml") == nil {
		t.Error("an unknown format is no error")
	}
}

func TestMarkdownTablesHaveEqualRows(t *testing.T) {
	r := sample()
	r.Tables[1].Rows[0][7] = "1: a|b"
	_, table, _ := strings.Cut(r.Markdown(), "All figures</summary>\n\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for i, line := range strings.Split(table, "\n") {
		want := len(r.Tables[1].Header) + 1
		if got := strings.Count(line, "|") - strings.Count(line, `\|`); got != want {
			t.Errorf("line %d has %d bars, want %d: %s", i, got, want, line)
		}
	}
}

// One line for each system, one column for each workload; empty where a system does not do that.
func TestOverview(t *testing.T) {
	set, get, paced := Workload{"SET", 1, 0}, Workload{"GET", 16, 0}, Workload{"SET", 1, 5000}
	row := func(w Workload, system string, cpu, ops float64) Row {
		return Row{Workload: w, System: system, CPUPerOp: Spread{Median: cpu}, OpsPerSec: Spread{Median: ops}}
	}
	all := Comparison{Rows: []Row{
		row(set, "a", 123.4, 999), row(set, "b", 12.34, 54_321), row(get, "b", 1.234, 1_234_567), row(paced, "a", 0.5, 4613),
	}}
	if all.failed() {
		t.Error("errors in rows without")
	}
	all.Rows[1].Errors = 3
	got := all.overview()
	want := [][]string{
		{"CPU/op, operations/s", "SET P=1", "GET P=16", "SET P=1 at 5000/s"},
		{"a", "123 µs, 999", "", "0.5 µs, 4613"},
		{"b", "12.3 µs, 54k †", "1.23 µs, 1.23M", ""},
	}
	if !all.failed() {
		t.Error("no errors in a row with some")
	}
	if all := append([][]string{got.Header}, got.Rows...); !reflect.DeepEqual(all, want) {
		t.Errorf("got %q, want %q", all, want)
	}
}

func TestWriteIntoReplacesOnlyWhatIsBetweenTheMarkers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("# Title\n<!-- figures -->\nold\n<!-- /figures -->\nend\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time replaces what the first wrote
		if err := WriteInto(path, comparison, sample().Markdown()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Title\n<!-- figures -->\n" + sample().Markdown() + "<!-- /figures -->\nend\n"
	if string(text) != want {
		t.Errorf("got\n%s", text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestMarkersMustBeThereOnce(t *testing.T) {
	for name, text := range map[string]string{
		"none":       "text",
		"no end":     "<!-- figures -->",
		"twice":      "<!-- figures --><!-- /figures --><!-- figures --><!-- /figures -->",
		"reversed":   "<!-- /figures --><!-- figures -->",
		"other name": "<!-- memory --><!-- /memory -->",
	} {
		path := filepath.Join(t.TempDir(), "README.md")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if CheckMarkers(path, comparison) == nil || WriteInto(path, comparison, sample().Markdown()) == nil {
			t.Errorf("%s: no error", name)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("%s: the file was changed to %q", name, got)
		}
	}
}

func TestThisMachine(t *testing.T) {
	m := ThisMachine(t.TempDir())
	if m.CPU == "" || m.Cores < 1 || m.Memory == 0 || m.Disk == "unknown" || m.Sync.Median <= 0 {
		t.Errorf("got %+v", m)
	}
	if m.Sync.Min > m.Sync.Median || m.Sync.Median > m.Sync.Max {
		t.Errorf("syncs %+v", m.Sync)
	}
	if s := m.Steadiness; s.Samples == 0 || s.Typical <= 0 || s.Slow < 0 || s.Slow > 100 {
		t.Errorf("steadiness %+v", s)
	}
	if got := chosen("always [madvise] never\n"); got != "madvise" || chosen("") != "" {
		t.Errorf("huge pages %q", got)
	}
	m.HugePages = "madvise"
	if s := m.String(); !strings.Contains(s, "huge pages madvise") {
		t.Errorf("no huge pages in %s", s)
	}
	if s := ThisMachine("").String(); strings.Contains(s, "fdatasync") {
		t.Errorf("a disk that was not asked about: %s", s)
	}
}

func TestMemoryIsNotMeasuredBeyondTheMachine(t *testing.T) {
	o := MemoryOptions{Keys: 5_000_000, ValueSizes: []int{64, 1024}}
	if err := o.fits(24 << 30); err == nil {
		t.Error("5 million keys of 1 KiB in Redis, three times: 21 GiB and more")
	}
	o.ValueSizes = []int{64}
	if err := o.fits(24 << 30); err != nil {
		t.Error(err)
	}
	if available() < 1<<20 {
		t.Errorf("%d bytes are available", available())
	}
}

// The folder of open files is one in which nobody can make a file, not even root.
func TestAFolderThatTakesNoFileIsKnownBefore(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("<!-- figures -->\n<!-- /figures -->\n"); err != nil {
		t.Fatal(err)
	}
	if err := CheckMarkers(f.Name(), comparison); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Dir(f.Name())); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	path := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	if CheckMarkers(path, comparison) == nil {
		t.Error("no error, though the file can't be replaced")
	}
}

func TestAPartialReportSaysSo(t *testing.T) {
	r := sample()
	r.Partial = "the disk is full"
	for _, format := range []string{"text", "json", "markdown"} {
		var whole, b strings.Builder
		if err := errors.Join(r.Write(&b, format), sample().Write(&whole, format)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.ToLower(b.String()), "partial") || !strings.Contains(b.String(), r.Partial) {
			t.Errorf("%s does not say so:\n%s", format, b.String())
		}
		if strings.Contains(strings.ToLower(whole.String()), "partial") {
			t.Errorf("%s says so of a whole one:\n%s", format, whole.String())
		}
	}
}
