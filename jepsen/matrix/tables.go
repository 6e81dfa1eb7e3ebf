package matrix

import (
	"fmt"
	"strings"
	"time"
)

// later are rows of the fault matrix that no history here can fill, and where they stand.
var later = [][2]string{
	{"power loss", "see Simulation: `kill -9` keeps the page cache"},
	{"slot move/split", "not there yet"},
	{"move × everything", "not there yet"},
	{"upgrade", "there is one release line yet"},
}

// Markdown is the account as tables.
func (a Account) Markdown() string {
	var b strings.Builder
	heads := " | histories | operations | unknown | faults | bit | void | violations | seeds | whole after (median, slowest) | wall |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
	write := func(title string, rows []Row) {
		fmt.Fprint(&b, "| "+title+heads)
		for _, r := range rows {
			if r.Histories > 0 {
				fmt.Fprintln(&b, r.markdown())
			}
		}
	}
	write("family", a.Families)
	for _, l := range later {
		fmt.Fprintf(&b, "| %s |%s %s |\n", l[0], strings.Repeat(" – |", 9), l[1])
	}
	total := a.Total
	total.Name = "**all**"
	fmt.Fprintln(&b, total.markdown())
	if total.Errors > 0 {
		fmt.Fprintf(&b, "\n%d more could not be run: the harness failed.\n", total.Errors)
	}
	fmt.Fprintln(&b)
	write("workload", a.Workloads)
	fmt.Fprintln(&b)
	write("fault", a.Nemeses)
	return b.String()
}

func (r Row) markdown() string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %s | %s | %s |", r.Name, r.Histories, r.Ops.Total(), r.Ops.Unknown, r.Faults, r.Bit, r.Void,
		r.Violations, ranges(r.Seeds), r.recovery(), r.Wall.Round(time.Second))
}

// recovery is how long clusters took to be whole.
func (r Row) recovery() string {
	n := len(r.Whole)
	if n == 0 {
		return "–"
	}
	const tenth = 100 * time.Millisecond
	return fmt.Sprintf("%s, %s", r.Whole[n/2].Round(tenth), r.Whole[n-1].Round(tenth))
}

// ranges writes 1, 2, 3, 7 as 1–3, 7.
func ranges(seeds []uint64) string {
	var parts []string
	for i := 0; i < len(seeds); {
		j := i
		for j+1 < len(seeds) && seeds[j+1] == seeds[j]+1 {
			j++
		}
		part := fmt.Sprint(seeds[i])
		if j > i {
			part += fmt.Sprintf("–%d", seeds[j])
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ", ")
}
