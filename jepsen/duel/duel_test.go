package duel

import (
	"encoding/json"
	"os"
	"path/filepath"
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
	lossy := trial.Verdict{Config: trial.Config{Duration: time.Minute}, Bit: 1, Toll: check.Toll{Acknowledged: 10, Lost: 3, Silence: time.Second},
		Results: []check.Result{{Checker: "list-append"}, {Checker: "load", OK: true}}}
	for seed, v := range []trial.Verdict{lossy, {OK: true, Toll: check.Toll{Acknowledged: 5}}} {
		c := cells(uint64(seed) + 1)[0]
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
	table, err := Load(dir, 3)
	if err != nil || len(table.Rows) != 1 {
		t.Fatalf("%+v, %v", table, err)
	}
	if r := table.Rows[0]; r.Histories != 2 || r.Violated != 1 || r.Toll.Acknowledged != 15 || r.Toll.Lost != 3 || len(r.Found) != 1 {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(table.Markdown(), "| 15 | 3 | 0 | 0 | 1.0 s | 1 of 2 | list-append |") {
		t.Error(table.Markdown())
	}
}
