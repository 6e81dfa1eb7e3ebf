package versus

import (
	"fmt"
	"strconv"
)

func snapshotTable(rows []SnapshotRow) Table {
	t := Table{Header: []string{"", "SET/s", "p50 µs", "p99 µs", "p99.9 µs", "max µs", "entry", "GC stops", "errors"}}
	for _, r := range rows {
		t.Rows = append(t.Rows, []string{
			r.title(), fmt.Sprintf("%.0f", r.OpsPerSec), strconv.FormatInt(r.P50, 10), strconv.FormatInt(r.P99, 10), strconv.FormatInt(r.P999, 10),
			strconv.FormatInt(r.Max, 10), r.Entry.String(), r.Stops.String(), errorText(r.Errors, r.FirstError) + unansweredText(r.Unanswered),
		})
	}
	return t
}

// pauseTable sets what held groups up beside what held up a program of no concern.
func pauseTable(rows []SnapshotRow) Table {
	t := Table{Header: []string{"", "of", "count", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "over 2 ms"}}
	for _, r := range rows {
		t.Rows = append(t.Rows, append([]string{r.title(), "apply"}, r.Apply.Percentiles()...))
		if r.Mark.Count > 0 {
			t.Rows = append(t.Rows, append([]string{r.title(), "mark"}, r.Mark.Percentiles()...))
		}
		s := r.Steadiness
		t.Rows = append(t.Rows, []string{
			r.title(), "computing beside", strconv.Itoa(s.Samples), ms(s.Typical), ms(s.P99), ms(s.P999), ms(s.Most), strconv.Itoa(s.Long),
		})
	}
	return t
}

// ms writes microseconds as milliseconds.
func ms(us float64) string { return fmt.Sprintf("%.3g", us/1000) }

func costTable(rows []SnapshotRow) Table {
	const mib = 1 << 20
	t := Table{Header: []string{"", "snapshots", "longest s", "MiB", "server CPUs", "CPU/op µs", "GC CPU", "MiB resident", "at most"}}
	for _, r := range rows {
		t.Rows = append(t.Rows, []string{
			r.title(), strconv.Itoa(r.Snapshots), fmt.Sprintf("%.2f", r.Took), strconv.FormatInt(r.Bytes/mib, 10), fmt.Sprintf("%.2f", r.CPUs),
			fmt.Sprintf("%.2f", r.CPUPerOp), percent(r.GC), strconv.FormatInt(r.Start/mib, 10), strconv.FormatInt(r.Peak/mib, 10),
		})
	}
	return t
}

func (row *SnapshotRow) title() string {
	if row.Snapshots == 0 {
		return "without snapshots"
	}
	return "with snapshots"
}
