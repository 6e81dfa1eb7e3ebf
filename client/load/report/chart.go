package report

import (
	"fmt"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/client/load/plot"
)

// timeAxis covers a measurement, in seconds.
func timeAxis(r load.Result) (plot.Axis, []plot.Tick) {
	end := max(r.Elapsed.Seconds(), 1e-3)
	x, values := plot.Until(end, plot.Left, plot.Right)
	for len(values) > 1 && values[len(values)-1] > end {
		values = values[:len(values)-1]
	}
	return x, x.Ticks(values, plot.Seconds)
}

// overTime plots one value per interval, from 0 up.
func overTime(title, note, name string, r load.Result, label func(float64) string, of func(load.Interval) float64) plot.Chart {
	highest := 0.0
	for _, v := range r.Intervals {
		highest = max(highest, of(v))
	}
	x, xt := timeAxis(r)
	y, values := plot.Linear(highest, plot.Bottom, plot.Top)
	var dots []plot.Dot
	for _, v := range r.Intervals {
		t := v.End.Seconds()
		dots = append(dots, plot.Dot{X: x.At(t), Y: y.At(of(v)), Text: fmt.Sprintf("%s at %.1f s", label(of(v)), t)})
	}
	return plot.Chart{Title: title, Note: note, X: xt, Y: y.Ticks(values, label), Series: []plot.Series{plot.Line(name, 0, dots)}}
}

// latencies are the lines of the latency chart.
var latencies = []struct {
	name string
	of   func(load.Latency) int64
}{
	{"p50", func(l load.Latency) int64 { return l.P50 }},
	{"p95", func(l load.Latency) int64 { return l.P95 }},
	{"p99", func(l load.Latency) int64 { return l.P99 }},
	{"p99.9", func(l load.Latency) int64 { return l.P999 }},
	{"max", func(l load.Latency) int64 { return l.Max }},
}

// latencyOverTime leaves out intervals in which nothing was timed. One in which the servers stood still may have latencies without operations: of what was due.
func latencyOverTime(r load.Result) plot.Chart {
	lowest, highest := float64(max(1, r.P50)), float64(max(1, r.Max))
	for _, v := range r.Intervals {
		if v.Max > 0 {
			lowest = min(lowest, float64(max(1, v.P50)))
		}
	}
	x, xt := timeAxis(r)
	y, values := plot.Log(lowest, highest, plot.Bottom, plot.Top)
	c := plot.Chart{Title: "Latency over time", Note: "percentiles of each interval, logarithmic", X: xt, Y: y.Ticks(values, plot.Micros)}
	for i, l := range latencies {
		var dots []plot.Dot
		for _, v := range r.Intervals {
			if v.Max > 0 {
				us, t := float64(l.of(v.Latency)), v.End.Seconds()
				dots = append(dots, plot.Dot{X: x.At(t), Y: y.At(us), Text: fmt.Sprintf("%s %s at %.1f s", l.name, plot.Micros(us), t)})
			}
		}
		c.Series = append(c.Series, plot.Line(l.name, i, dots))
	}
	return c
}

// curve plots latency over percentiles, each nine as wide as the one before.
func curve(r load.Result) plot.Chart {
	farthest, lowest := 10.0, float64(max(1, r.P50))
	for _, p := range r.Percentiles {
		if p.Percent < 100 {
			farthest = max(farthest, 100/(100-p.Percent))
		}
		lowest = min(lowest, float64(max(1, p.Micros)))
	}
	nines := []float64{1}
	for v := 10.0; v <= farthest*1.001; v *= 10 {
		nines = append(nines, v)
	}
	x := plot.Exact(1, farthest, plot.Left, plot.Right)
	y, values := plot.Log(lowest, float64(max(1, r.Max)), plot.Bottom, plot.Top)
	var dots []plot.Dot
	for _, p := range r.Percentiles {
		at, name := plot.Right, "the slowest"
		if p.Percent < 100 {
			at, name = x.At(100/(100-p.Percent)), plot.Number(p.Percent)+" %"
		}
		dots = append(dots, plot.Dot{X: at, Y: y.At(float64(p.Micros)), Text: name + ": " + plot.Micros(float64(p.Micros))})
	}
	return plot.Chart{
		Title: "Latency by percentile", Note: "of the whole measurement (HDR histogram, three digits), both axes logarithmic",
		X: x.Ticks(nines, plot.Percent), Y: y.Ticks(values, plot.Micros), Series: []plot.Series{plot.Line("latency", 0, dots)},
	}
}
