package report

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/client/load"
)

// Size of a chart, in pixels of its own: the page scales it.
const (
	width, height = 860.0, 300.0
	left, right   = 70.0, 850.0
	top, bottom   = 12.0, 264.0
)

// chart is a plot as the template draws it.
type chart struct {
	Title, Note string
	X, Y        []tick
	Series      []series
}

// series is one line. Color is the number of a style in the page.
type series struct {
	Name  string
	Color int
	Line  string // points of a polyline
	Dots  []dot
}

// dot is a place that says its value when pointed at.
type dot struct {
	X, Y float64
	Text string
}

// maxDots bounds what a browser must draw; longer lines have no dots.
const maxDots = 1200

func line(name string, color int, dots []dot) series {
	var b strings.Builder
	for _, d := range dots {
		fmt.Fprintf(&b, "%.1f,%.1f ", d.X, d.Y)
	}
	s := series{Name: name, Color: color, Line: b.String()}
	if len(dots) <= maxDots {
		s.Dots = dots
	}
	return s
}

// timeAxis covers a measurement, in seconds.
func timeAxis(r load.Result) (axis, []tick) {
	x := axis{0, max(r.Elapsed.Seconds(), 1e-3), left, right, false}
	_, values := linearAxis(x.hi, left, right)
	for len(values) > 1 && values[len(values)-1] > x.hi {
		values = values[:len(values)-1]
	}
	return x, x.ticks(values, secondsLabel)
}

// overTime plots one value per interval, from 0 up.
func overTime(title, note, name string, r load.Result, label func(float64) string, of func(load.Interval) float64) chart {
	highest := 0.0
	for _, v := range r.Intervals {
		highest = max(highest, of(v))
	}
	x, xt := timeAxis(r)
	y, values := linearAxis(highest, bottom, top)
	var dots []dot
	for _, v := range r.Intervals {
		t := v.End.Seconds()
		dots = append(dots, dot{x.at(t), y.at(of(v)), fmt.Sprintf("%s at %.1f s", label(of(v)), t)})
	}
	return chart{Title: title, Note: note, X: xt, Y: y.ticks(values, label), Series: []series{line(name, 0, dots)}}
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

// latencyOverTime leaves out intervals in which nothing finished: they have no latency.
func latencyOverTime(r load.Result) chart {
	lowest, highest := float64(max(1, r.P50)), float64(max(1, r.Max))
	for _, v := range r.Intervals {
		if v.Ops > 0 {
			lowest = min(lowest, float64(max(1, v.P50)))
		}
	}
	x, xt := timeAxis(r)
	y, values := logAxis(lowest, highest, bottom, top)
	c := chart{Title: "Latency over time", Note: "percentiles of each interval, logarithmic", X: xt, Y: y.ticks(values, microsLabel)}
	for i, l := range latencies {
		var dots []dot
		for _, v := range r.Intervals {
			if v.Ops > 0 {
				us, t := float64(l.of(v.Latency)), v.End.Seconds()
				dots = append(dots, dot{x.at(t), y.at(us), fmt.Sprintf("%s %s at %.1f s", l.name, microsLabel(us), t)})
			}
		}
		c.Series = append(c.Series, line(l.name, i, dots))
	}
	return c
}

// curve plots latency over percentiles, each nine as wide as the one before.
func curve(r load.Result) chart {
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
	x := axis{1, farthest, left, right, true}
	y, values := logAxis(lowest, float64(max(1, r.Max)), bottom, top)
	var dots []dot
	for _, p := range r.Percentiles {
		at, name := right, "the slowest"
		if p.Percent < 100 {
			at, name = x.at(100/(100-p.Percent)), number(p.Percent)+" %"
		}
		dots = append(dots, dot{at, y.at(float64(p.Micros)), name + ": " + microsLabel(float64(p.Micros))})
	}
	return chart{
		Title: "Latency by percentile", Note: "of the whole measurement (HDR histogram, three digits), both axes logarithmic",
		X: x.ticks(nines, percentLabel), Y: y.ticks(values, microsLabel), Series: []series{line("latency", 0, dots)},
	}
}
