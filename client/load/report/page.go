package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/client/load/plot"
)

//go:embed page.html
var source string

var page = template.Must(template.Must(plot.Templates.Clone()).New("page").Funcs(template.FuncMap{
	"micros": func(us int64) string { return plot.Micros(float64(us)) },
	"short":  plot.ShortMicros,
	"fixed":  func(v float64) string { return fmt.Sprintf("%.2f", v) },
	"count":  func(v float64) string { return fmt.Sprintf("%.0f", v) },
	"second": func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) },
}).Parse(source))

// Facts are what a reader must know to judge a measurement, as name and text, in order.
type Facts [][2]string

// Write draws r as an HTML page.
func Write(w io.Writer, title string, about Facts, r load.Result) error {
	charts := []plot.Chart{
		overTime("Throughput", "operations per second of each interval", "operations/s", r, plot.Count, func(v load.Interval) float64 { return v.OpsPerSec }),
		latencyOverTime(r),
		curve(r),
	}
	hasCPU := r.CPUPerOp > 0
	if hasCPU {
		cores := func(v load.Interval) float64 { return v.CPUs }
		charts = append(charts, overTime("CPU of the servers", "cores kept busy by all server processes together", "cores", r, plot.Number, cores))
	}
	return page.Execute(w, map[string]any{
		"Title": title, "About": about, "Result": r, "Charts": charts, "HasCPU": hasCPU})
}
