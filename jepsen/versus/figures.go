package versus

import (
	"fmt"

	"github.com/quorate/quorate/client/load"
)

func (o Options) rows(systems []System, all measured) (out []Row) {
	for _, w := range o.workloads() {
		for _, s := range systems {
			if rs := all[w][s.Name]; len(rs) > 0 {
				out = append(out, rowOf(w, s.Name, rs))
			}
		}
	}
	return out
}

func rowOf(w Workload, system string, rs []outcome) Row {
	micros := func(of func(load.Latency) int64) Spread {
		return spreadOf(each(rs, func(r outcome) float64 { return float64(of(r.Latency)) }))
	}
	row := Row{
		Workload: w, System: system, Rounds: len(rs), OpsPerSec: spreadOf(each(rs, opsOf)), CPUPerOp: spreadOf(each(rs, cpuOf)),
		P50:  micros(func(l load.Latency) int64 { return l.P50 }),
		P99:  micros(func(l load.Latency) int64 { return l.P99 }),
		P999: micros(func(l load.Latency) int64 { return l.P999 }),
		Late: spreadOf(each(rs, func(r outcome) float64 { return float64(r.Late.P99) })),
		StoodStill: spreadOf(each(rs, func(r outcome) float64 {
			return 100 * r.StoodStill.Seconds() / max(r.Elapsed.Seconds(), 1e-9)
		})),
		Undisturbed: spreadOf(each(rs, func(r outcome) float64 { return float64(r.Undisturbed.P99) })),
		LogWrite:    spreadOf(each(rs, func(r outcome) float64 { return 1e6 * r.logWrites.P99 })),
	}
	var gets, misses int64
	for _, r := range rs {
		gets, misses, row.Errors, row.Unanswered = gets+r.Gets, misses+r.Misses, row.Errors+r.Errors, row.Unanswered+r.Unanswered
		if row.FirstError == "" {
			row.FirstError = r.FirstError
		}
	}
	if gets > 0 {
		row.Hits = 1 - float64(misses)/float64(gets)
	}
	return row
}

// ratios sets every Quorate beside every peer.
func (o Options) ratios(systems []System, all measured) (out []Ratio) {
	for _, w := range o.workloads() {
		for _, s := range systems {
			for _, p := range systems {
				ours, theirs := all[w][s.Name], all[w][p.Name]
				if s.isPeer() || !p.isPeer() || len(ours) == 0 || len(theirs) == 0 {
					continue
				}
				out = append(out, Ratio{
					Workload: w, System: s.Name, Peer: p.Name,
					Ops: spreadOf(ratios(each(ours, opsOf), each(theirs, opsOf))), CPU: spreadOf(ratios(each(ours, cpuOf), each(theirs, cpuOf))),
				})
			}
		}
	}
	return out
}

func opsOf(r outcome) float64 { return r.OpsPerSec }

func cpuOf(r outcome) float64 { return r.CPUPerOp }

func each[T, V any](all []T, of func(T) V) (out []V) {
	for _, v := range all {
		out = append(out, of(v))
	}
	return out
}

func (c Comparison) tables() []Table {
	figures := Table{Title: "All figures", Header: []string{"workload", "system", "operations/s", "CPU/op µs", "p50 µs", "p99 µs", "p99.9 µs", "late µs", "stood still", "p99 µs else", "log write p99 µs", "errors"}}
	for _, r := range c.Rows {
		figures.Rows = append(figures.Rows, []string{
			r.Workload.String(), r.System, r.OpsPerSec.format("%.0f"), r.CPUPerOp.format("%.2f"),
			r.P50.format("%.0f"), r.P99.format("%.0f"), r.P999.format("%.0f"), atRate(r.Late), stillText(r), atRate(r.Undisturbed), atMost(r.LogWrite), errorText(r.Errors, r.FirstError) + unansweredText(r.Unanswered),
		})
	}
	if len(c.Ratios) == 0 {
		return []Table{c.overview(), figures}
	}
	ratios := Table{Title: "All ratios", Header: []string{"workload", "ratio of", "operations/s ×", "CPU/op ×"}}
	for _, r := range c.Ratios {
		ratios.Rows = append(ratios.Rows, []string{r.Workload.String(), r.System + " / " + r.Peer, r.Ops.format("%.2f"), r.CPU.format("%.2f")})
	}
	return []Table{c.overview(), figures, ratios}
}

// overview has a line for each system and a column for each workload: CPU time per operation and operations per second. Where so many
// were asked for, it says exactly how many there were.
func (c Comparison) overview() Table {
	t := Table{Header: []string{"CPU/op, operations/s"}}
	columns, lines := map[Workload]int{}, map[string]int{}
	for _, r := range c.Rows {
		if _, ok := columns[r.Workload]; !ok {
			columns[r.Workload] = len(t.Header)
			t.Header = append(t.Header, r.Workload.String())
		}
		if _, ok := lines[r.System]; !ok {
			lines[r.System] = len(t.Rows)
			t.Rows = append(t.Rows, []string{r.System})
		}
	}
	for i, row := range t.Rows {
		t.Rows[i] = append(row, make([]string, len(t.Header)-1)...)
	}
	for _, r := range c.Rows {
		ops := human(r.OpsPerSec.Median)
		if r.Rate > 0 {
			ops = fmt.Sprintf("%.0f", r.OpsPerSec.Median)
		}
		t.Rows[lines[r.System]][columns[r.Workload]] = marked(fmt.Sprintf("%.3g µs, %s", r.CPUPerOp.Median, ops), r.Errors)
	}
	return t
}

// human is a number in three digits.
func human(n float64) string {
	switch {
	case n >= 999_500:
		return fmt.Sprintf("%.3gM", n/1e6)
	case n >= 1000:
		return fmt.Sprintf("%.0fk", n/1e3)
	}
	return fmt.Sprintf("%.0f", n)
}

// atRate is empty where nothing was to be sent at a certain time, and for clients that keep their own time.
func atRate(s Spread) string {
	if s.Median == 0 {
		return ""
	}
	return s.format("%.0f")
}

// atMost is empty where nothing was written to a log, or nobody said what that took.
func atMost(s Spread) string {
	if s.Median == 0 {
		return ""
	}
	return "≤ " + s.format("%.0f")
}

func stillText(r Row) string {
	if r.Undisturbed.Median == 0 {
		return ""
	}
	return r.StoodStill.format("%.1f %%")
}

func errorText(n int64, first string) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d: %s", n, first)
}

// unansweredText follows the errors: of an open loop what was due, of a closed loop what waited longer than anything that was answered.
func unansweredText(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d unanswered", n)
}

// failedMark is put in short tables behind what was measured while commands got errors: these cost something else than what they asked for.
const failedMark = "†"

// failedNote explains it.
const failedNote = failedMark + ": some commands got errors, see all figures."

func marked(figure string, errors int64) string {
	if errors == 0 {
		return figure
	}
	return figure + " " + failedMark
}
