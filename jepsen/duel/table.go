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
	Nemesis   string `json:"nemesis"`
	Workload  string `json:"workload"`
	System    string `json:"system"`
	Histories int    `json:"histories"`
	Bit       int    `json:"faults_bit"`
	// Tolls are those of the histories, in the order of their seeds.
	Tolls []check.Toll `json:"tolls"`
	// Violated are histories in which a checker found something, and Found which ones did.
	Violated int      `json:"violated"`
	Found    []string `json:"found,omitempty"`
}

// Load reads the histories that are in dir, so many of each row at most.
func Load(dir string, histories int) (t Table, err error) {
	for _, first := range cells(1) {
		r := Row{Nemesis: first.nemesis, Workload: first.workload, System: first.system.name}
		for seed := uint64(1); seed <= uint64(histories); seed++ {
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
	r.Tolls = append(r.Tolls, v.Toll)
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
		lost, back := trial.Config{Workload: r.Workload}.Counts()
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s s | %d of %d | %s |\n", r.Nemesis, r.Workload, name,
			r.spread(true, "%.0f", func(t check.Toll) float64 { return float64(t.Acknowledged) }),
			r.spread(lost, "%.0f", func(t check.Toll) float64 { return float64(t.Lost) }),
			r.spread(back, "%.0f", func(t check.Toll) float64 { return float64(t.Stale) }),
			r.spread(back, "%.0f", func(t check.Toll) float64 { return float64(t.Returned) }),
			r.spread(true, "%.1f", func(t check.Toll) float64 { return t.Silence.Seconds() }),
			r.Violated, r.Histories, strings.Join(r.Found, ", "))
	}
	fmt.Fprintf(&b, "\nHistories of %s each, with 12 clients that never retry, written by `quorate jepsen duel`: the median, and least to most where they differ; "+
		"– is what the workload does not let one count. The systems:\n\n", t.Duration)
	for _, s := range systems {
		fmt.Fprintf(&b, "- **%s**: %s\n", s.name, s.about)
	}
	return b.String()
}

// spread is the median of a figure, and its range if it has one; – if it can't be counted.
func (r Row) spread(can bool, format string, figure func(check.Toll) float64) string {
	if !can {
		return "–"
	}
	var all []float64
	for _, t := range r.Tolls {
		all = append(all, figure(t))
	}
	slices.Sort(all)
	text := func(f float64) string { return fmt.Sprintf(format, f) }
	least, most := text(all[0]), text(all[len(all)-1])
	if least == most {
		return least
	}
	median := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	return fmt.Sprintf("%s (%s–%s)", text(median), least, most)
}
