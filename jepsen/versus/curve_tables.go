package versus

import (
	"fmt"
	"slices"
	"strconv"
)

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func curveTables(over string, rows []CurveRow) []Table {
	short := Table{Header: []string{over}}
	all := Table{Title: "All figures", Header: []string{over, "", "CPU/op µs", "×", "per second", "p99 µs", "p99.9 µs", "GC CPU", "GC stops", "errors"}}
	for _, r := range rows {
		cells := []string{strconv.Itoa(r.Value)}
		for _, c := range r.costs() {
			if len(short.Rows) == 0 {
				short.Header = append(short.Header, c.name, "×")
			}
			cpu := fmt.Sprintf("%.2f", c.CPUPerOp)
			cells = append(cells, marked(cpu, c.Errors), marked(fmt.Sprintf("%.2f", c.Ratio.Median), c.Errors))
			gc, stops := percent(c.GC), c.Stops.String()
			if c.peer {
				gc, stops = "", ""
			}
			all.Rows = append(all.Rows, []string{
				cells[0], c.name, cpu, c.Ratio.format("%.2f"), fmt.Sprintf("%.0f", c.OpsPerSec), strconv.FormatInt(c.P99, 10), strconv.FormatInt(c.P999, 10),
				gc, stops, errorText(c.Errors, c.FirstError) + unansweredText(c.Unanswered),
			})
		}
		short.Rows = append(short.Rows, cells)
	}
	for i := 1; i < len(short.Header); i += 2 {
		short.Header[i] += " CPU/op µs"
	}
	return []Table{short, all}
}

// namedCost is one that was measured, with what the tables call it.
type namedCost struct {
	name string
	peer bool
	*CurveCost
}

func (r *CurveRow) costs() []namedCost {
	all := []namedCost{
		{"SET", false, &r.Set}, {"GET", false, &r.Get}, {"SET beside snapshots", false, r.Written},
		{"Redis SET", true, r.PeerSet}, {"Redis GET", true, r.PeerGet},
	}
	return slices.DeleteFunc(all, func(c namedCost) bool { return c.CurveCost == nil })
}

// failed reports whether anything in rows got errors.
func failed(rows []CurveRow) bool {
	return slices.ContainsFunc(rows, func(r CurveRow) bool {
		return slices.ContainsFunc(r.costs(), func(c namedCost) bool { return c.Errors > 0 })
	})
}
