package duel

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/trial"
)

// Table is the account of a duel.
type Table struct {
	Rows []Row `json:"rows"`
	// Duration is that of each history.
	Duration time.Duration `json:"duration_ns"`
}

// Row is all histories of one kind.
type Row struct {
	Nemesis   string     `json:"nemesis"`
	Workload  string     `json:"workload"`
	System    string     `json:"system"`
	Histories int        `json:"histories"`
	Bit       int        `json:"faults_bit"`
	Toll      check.Toll `json:"toll"`
	// Violated are histories in which a checker found something, and Found which ones did.
	Violated int      `json:"violated"`
	Found    []string `json:"found,omitempty"`
}

// Load reads the histories that are in dir.
func Load(dir string, seeds uint64) (t Table, err error) {
	for _, first := range cells(1) {
		r := Row{Nemesis: first.nemesis, Workload: first.workload, System: first.system.name}
		for seed := uint64(1); seed <= seeds; seed++ {
			c := first
			c.seed = seed
			v, err := verdict(filepath.Join(dir, c.folder()))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return t, err
			}
			t.Duration = v.Duration
			r.add(v)
		}
		if r.Histories > 0 {
			t.Rows = append(t.Rows, r)
		}
	}
	return t, nil
}

func (r *Row) add(v trial.Verdict) {
	r.Histories++
	r.Bit += v.Bit
	r.Toll.Acknowledged += v.Toll.Acknowledged
	r.Toll.Lost += v.Toll.Lost
	r.Toll.Stale += v.Toll.Stale
	r.Toll.Returned += v.Toll.Returned
	r.Toll.Silence = max(r.Toll.Silence, v.Toll.Silence)
	if v.OK {
		return
	}
	r.Violated++
	for _, x := range v.Results {
		if !x.OK && !slices.Contains(r.Found, x.Checker) {
			r.Found = append(r.Found, x.Checker)
		}
	}
}

// Markdown is the table for the README.
func (t Table) Markdown() string {
	var b strings.Builder
	b.WriteString("| fault | workload | system | acknowledged writes | lost | stale reads | back from the dead | longest silence of an object | histories with a violation | found by |\n")
	b.WriteString("|---|---|---|---:|---:|---:|---:|---:|---:|---|\n")
	for _, r := range t.Rows {
		name := r.System
		if name == "Quorate" {
			name = "**Quorate**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d | %d | %.1f s | %d of %d | %s |\n", r.Nemesis, r.Workload, name,
			r.Toll.Acknowledged, r.Toll.Lost, r.Toll.Stale, r.Toll.Returned, r.Toll.Silence.Seconds(), r.Violated, r.Histories, strings.Join(r.Found, ", "))
	}
	fmt.Fprintf(&b, "\nHistories of %s each, with 12 clients that never retry, written by `quorate jepsen duel`. The systems:\n\n", t.Duration)
	for _, s := range systems {
		fmt.Fprintf(&b, "- **%s**: %s\n", s.name, s.about)
	}
	return b.String()
}
