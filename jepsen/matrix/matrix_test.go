package matrix

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/nemesis"
	"github.com/quorate/quorate/jepsen/trial"
	"github.com/quorate/quorate/jepsen/workload"
)

func TestFamiliesHoldAllFaults(t *testing.T) {
	var all []string
	folders := map[string]string{}
	for _, f := range families(true, true) {
		for _, n := range f.faults {
			needs(n) // panics if there is no such fault
		}
		all = append(all, f.faults...)
		folder := Cell{Family: f.name, Seed: 1}.folder()
		if other, taken := folders[folder]; taken {
			t.Errorf("%s and %s share the folder %s", f.name, other, folder)
		}
		folders[folder] = f.name
	}
	for _, f := range nemesis.Faults() {
		if !slices.Contains(all, f.Name) {
			t.Errorf("no family has %s", f.Name)
		}
	}
	for _, f := range families(false, false) {
		for _, n := range f.faults {
			if x := needs(n); x.Network || x.Disks {
				t.Errorf("%s is run where there is nothing for it", n)
			}
		}
	}
}

func TestSeedsMeetEveryCell(t *testing.T) {
	for i, f := range families(true, true) {
		seen := map[string]bool{}
		names := f.fitting(workloads())
		for seed := range uint64(len(f.faults) * len(names)) {
			c := f.at(1000+seed, i, workloads())
			seen[c.Nemesis+" "+c.Workload] = true
		}
		if want := len(f.faults) * len(names); len(seen) != want {
			t.Errorf("%s: as many seeds as cells meet %d of %d", f.name, len(seen), want)
		}
	}
}

// A family of several sizes meets each of them, and evictions only what knows of them.
func TestSizesAndEvictions(t *testing.T) {
	for i, f := range families(true, true) {
		seen := map[Shape]bool{}
		for seed := range uint64(200) {
			c := f.at(seed, i, workloads())
			seen[c.Shape] = true
			if spec, ok := workload.Named(c.Workload); !ok || needs(c.Nemesis).Evicts && !spec.MayEvict() {
				t.Errorf("%s: %s", f.name, c)
			}
			if n := needs(c.Nemesis).Nodes; c.Nodes > 0 && c.Nodes < n {
				t.Errorf("%s: %s needs %d nodes", f.name, c, n)
			}
		}
		if len(seen) != max(1, len(f.shapes)) {
			t.Errorf("%s has the sizes %v", f.name, seen)
		}
	}
}

func verdict(word string) trial.Verdict {
	v := trial.Verdict{
		OK: word == "ok", Void: word == "void", Faults: 3, Bit: 2, Ops: history.Counts{Applied: 5, Failed: 2, Unknown: 1},
		Whole: []time.Duration{3 * time.Second, time.Second},
	}
	switch word {
	case "void":
		v.Results = []check.Result{{Checker: "faults", Text: "none bit"}}
	case "VIOLATION":
		v.Results = []check.Result{{Checker: "register", Text: "a stale read"}}
	}
	return v
}

func TestTheAccountAddsUp(t *testing.T) {
	a, err := Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, word := range []string{"ok", "ok", "void", "VIOLATION"} {
		c := Cell{Family: "partition", Nemesis: "halves", Workload: "append", Seed: uint64(i) + 7}
		a.add(History{Cell: c, Folder: c.folder(), Wall: time.Second, Verdict: verdict(word)})
	}
	failed := Cell{Family: "clock", Nemesis: "clock-back", Workload: "ttl", Seed: 9}
	a.add(History{Cell: failed, Folder: failed.folder(), Wall: time.Second, Error: "no network"})
	r := a.Total
	if r.Histories != 4 || r.Void != 1 || r.Violations != 1 || r.Errors != 1 || r.Ops.Total() != 32 || r.Faults != 12 || r.Bit != 8 || r.Wall != 5*time.Second || !a.Bad() {
		t.Errorf("the total is %+v", r)
	}
	text := a.Markdown()
	for _, want := range []string{
		"| partition | 4 | 32 | 4 | 12 | 8 | 1 | 1 | 7–10 | 3s, 3s | 4s |", "| halves | 4 |", "| append | 4 |", "| **all** | 4 |", "| slot move/split | – |", "1 more could not be run",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables lack %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "| clock |") {
		t.Error("a family without a verdict has a row")
	}
}

// TestTheAccountIsWhatTheFoldersSay judges a history again behind the account's back.
func TestTheAccountIsWhatTheFoldersSay(t *testing.T) {
	dir := t.TempDir()
	c := Cell{Family: "pause", Nemesis: "stutter", Workload: "cas", Seed: 3}
	judge := func(v trial.Verdict) {
		b, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, c.folder(), "verdict.json"), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	h := History{Cell: c, Folder: c.folder(), Version: "v1", Wall: time.Second}
	if err := h.note(dir); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"VIOLATION", "ok"} {
		judge(verdict(word))
		a, err := Load(dir)
		if err != nil || a.Total.Histories != 1 || a.Histories[0].Word() != word || a.Histories[0].Cell != c {
			t.Errorf("%s: %+v, %v", word, a.Total, err)
		}
		if err := a.save(dir); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(filepath.Join(dir, fileAccount))
		if err != nil || !strings.Contains(string(file), `"verdict": "`+word+`"`) || strings.Contains(string(file), "a stale read") != (word == "VIOLATION") {
			t.Errorf("the file does not say %s: %v\n%s", word, err, file)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, c.folder(), fileNote), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a torn note was taken for a history")
	}
}

func TestWhatWasRunIsNotRunAgain(t *testing.T) {
	m := run{Options: Options{Families: []string{"pause", "kill -9"}, Workloads: []string{"append"}, First: 5, Jobs: 1, Histories: 4}, ends: time.Now().Add(time.Hour)}
	if err := m.plan(); err != nil {
		t.Fatal(err)
	}
	m.account.add(History{Cell: Cell{Family: "kill -9", Seed: 5}, Folder: "kill--9-5"})
	var got []string
	for {
		c, ok := m.take(t.Context())
		if !ok {
			break
		}
		if c.Workload != "append" {
			t.Errorf("%v", c)
		}
		got = append(got, c.folder())
	}
	if want := []string{"pause-5", "kill--9-6", "pause-6", "kill--9-7"}; !slices.Equal(got, want) {
		t.Errorf("cells are %v, want %v", got, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m.Histories = 0
	if c, ok := m.take(ended); ok {
		t.Errorf("%v was begun after the end", c)
	}
}

func TestRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"an unknown family":            {Jobs: 1, Families: []string{"meteors"}},
		"an unknown workload":          {Jobs: 1, Workloads: []string{"dance"}},
		"evictions and counters":       {Jobs: 1, Families: []string{"memory"}, Workloads: []string{"counter"}},
		"nobody to do it":              {},
		"partitions without a network": {Jobs: 1, Families: []string{"partition"}},
	} {
		o.Dir = t.TempDir()
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}
