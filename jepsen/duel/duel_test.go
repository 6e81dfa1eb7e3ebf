package duel

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/nemesis"
	"github.com/quorate/quorate/jepsen/trial"
	"github.com/quorate/quorate/jepsen/workload"
)

func TestEverySystemMeetsTheSame(t *testing.T) {
	seen := map[string]int{}
	for _, c := range cells(1) {
		if _, known := workload.Named(c.workload); !known {
			t.Errorf("no workload %q", c.workload)
		}
		if _, err := nemesis.Named([]string{c.nemesis}, nemesis.Needs{Network: true, Nodes: 3}); err != nil {
			t.Error(err)
		}
		a, b := c.config(time.Minute), cell{systems[0], c.workload, c.nemesis, 1}.config(time.Minute)
		if a.Clients != b.Clients || a.Think != b.Think || a.Hurt != b.Hurt || a.Quiet != b.Quiet {
			t.Errorf("%s is hurt otherwise than %s", c.folder(), systems[0].name)
		}
		seen[c.folder()]++
	}
	for folder, n := range seen {
		if n != 1 || strings.ContainsAny(folder, " ,/") {
			t.Errorf("folder %q of %d histories", folder, n)
		}
	}
}

func TestTheTableIsWhatTheFoldersSay(t *testing.T) {
	dir := t.TempDir()
	toll := func(acknowledged, lost int, silence time.Duration) trial.Verdict {
		v := trial.Verdict{Config: trial.Config{Duration: time.Minute}, OK: lost == 0, Toll: check.Toll{Acknowledged: acknowledged, Lost: lost, Silence: silence}}
		v.Results = []check.Result{{Checker: "list-append", OK: v.OK}, {Checker: "load", OK: true}}
		return v
	}
	keep := func(c cell, v trial.Verdict) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, c.folder()), 0o755); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, c.folder(), "verdict.json"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for seed, v := range []trial.Verdict{toll(10, 3, time.Second), toll(5, 0, time.Second), toll(100, 2, time.Second)} {
		keep(cells(uint64(seed) + 1)[0], v)
	}
	register := slices.IndexFunc(cells(1), func(c cell) bool { return c.workload == "register" })
	for seed, v := range []trial.Verdict{toll(10, 0, time.Second), toll(20, 0, 2*time.Second)} {
		keep(cells(uint64(seed) + 1)[register], v)
	}
	table, err := Load(dir, 3)
	if err != nil || len(table.Rows) != 2 {
		t.Fatalf("%+v, %v", table, err)
	}
	if r := table.Rows[0]; r.Histories != 3 || r.Violated != 2 || len(r.Tolls) != 3 || len(r.Found) != 1 {
		t.Errorf("%+v", r)
	}
	for _, row := range []string{"| 10 (5–100) | 2 (0–3) | – | – | 1.0 s | 2 of 3 | list-append |", "| 15 (10–20) | – | 0 | 0 | 1.5 (1.0–2.0) s | 0 of 2 |  |"} {
		if !strings.Contains(table.Markdown(), row) {
			t.Errorf("want %s in\n%s", row, table.Markdown())
		}
	}
	if fewer, err := Load(dir, 1); err != nil || fewer.Rows[0].Histories != 1 {
		t.Errorf("%+v, %v", fewer, err)
	}
}
