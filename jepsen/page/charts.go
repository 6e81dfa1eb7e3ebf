package page

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/client/load/plot"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/nemesis"
)

// Colors of the page's style.
const (
	blue = iota
	green
	amber
	red
	grey
)

// bucket is what came back to clients in one stretch of time.
type bucket struct {
	applied, failed, unknown int
	// took are the times of the applied operations, in µs, sorted.
	took []float64
}

const (
	// buckets is how many points a line has.
	buckets = 240
	// shortest is the least a bucket covers.
	shortest = 50 * time.Millisecond
)

// timeline divides a history.
func timeline(ops []history.Op, events []nemesis.Event) (all []bucket, each float64) {
	end := int64(1)
	for _, op := range ops {
		end = max(end, op.Return)
	}
	for _, e := range events {
		end = max(end, e.Whole, e.Healed)
	}
	each = max(float64(end)/buckets, float64(shortest))
	all = make([]bucket, int(float64(end)/each)+1)
	for _, op := range ops {
		b := &all[int(float64(op.Return)/each)]
		switch op.Outcome {
		case history.Applied:
			b.applied++
			b.took = append(b.took, max(1, float64(op.Return-op.Call)/1e3))
		case history.Failed:
			b.failed++
		default:
			b.unknown++
		}
	}
	for i := range all {
		slices.Sort(all[i].took)
	}
	return all, each
}

func charts(ops []history.Op, events []nemesis.Event) []plot.Chart {
	all, each := timeline(ops, events)
	end := float64(len(all)) * each / 1e9
	x, values := plot.Until(end, plot.Left, plot.Right)
	values = slices.DeleteFunc(values, func(v float64) bool { return v > end })
	out := []plot.Chart{availability(all, each, x), latency(all, each, x)}
	for i := range out {
		out[i].X = x.Ticks(values, plot.Seconds)
		out[i].Bands = bands(events, x)
	}
	return out
}

// availability plots outcomes per second.
func availability(all []bucket, each float64, x plot.Axis) plot.Chart {
	highest := 1.0
	rate := func(n int) float64 { return float64(n) / each * 1e9 }
	for _, b := range all {
		highest = max(highest, rate(b.applied), rate(b.failed), rate(b.unknown))
	}
	y, values := plot.Linear(highest, plot.Bottom, plot.Top)
	c := plot.Chart{Title: "What clients got", Note: "operations per second by outcome; red: a fault lasts, amber: healed, and not whole yet", Y: y.Ticks(values, plot.Count)}
	for _, line := range []struct {
		name  string
		color int
		of    func(bucket) int
	}{
		{"applied", green, func(b bucket) int { return b.applied }},
		{"refused (certainly not applied)", amber, func(b bucket) int { return b.failed }},
		{"unknown", red, func(b bucket) int { return b.unknown }},
	} {
		var dots []plot.Dot
		for i, b := range all {
			t := (float64(i) + 0.5) * each / 1e9
			v := rate(line.of(b))
			dots = append(dots, plot.Dot{X: x.At(t), Y: y.At(v), Text: fmt.Sprintf("%s/s %s at %.1f s", plot.Count(v), line.name, t)})
		}
		c.Series = append(c.Series, plot.Line(line.name, line.color, dots))
	}
	return c
}

// latency plots how long applied operations took; a stretch without any has no point.
func latency(all []bucket, each float64, x plot.Axis) plot.Chart {
	lowest, highest := 1e9, 1.0
	for _, b := range all {
		if n := len(b.took); n > 0 {
			lowest, highest = min(lowest, b.took[n/2]), max(highest, b.took[n-1])
		}
	}
	y, values := plot.Log(min(lowest, highest), highest, plot.Bottom, plot.Top)
	c := plot.Chart{Title: "How long it took", Note: "applied operations, at their return, logarithmic", Y: y.Ticks(values, plot.Micros)}
	for _, line := range []struct {
		name  string
		color int
		part  float64
	}{{"p50", blue, 0.5}, {"p99", amber, 0.99}, {"slowest", grey, 1}} {
		var dots []plot.Dot
		for i, b := range all {
			if n := len(b.took); n > 0 {
				t, us := (float64(i)+0.5)*each/1e9, b.took[min(n-1, int(line.part*float64(n)))]
				dots = append(dots, plot.Dot{X: x.At(t), Y: y.At(us), Text: fmt.Sprintf("%s %s at %.1f s", line.name, plot.Micros(us), t)})
			}
		}
		c.Series = append(c.Series, plot.Line(line.name, line.color, dots))
	}
	return c
}

// bands are the times of the faults, and of the recoveries after them.
func bands(events []nemesis.Event, x plot.Axis) (out []plot.Band) {
	for _, e := range events {
		from, to := float64(e.Injected)/1e9, float64(e.Healed)/1e9
		b := plot.Band{From: x.At(from), To: x.At(to), Color: red, Text: fmt.Sprintf("%s of %s, %.1f s to %.1f s: %s", e.Fault, e.Victim, from, to, e.Bit)}
		if perLetter := 6.0; b.Wide() > perLetter*float64(len(e.Fault)) {
			b.Short = e.Fault
		}
		out = append(out, b)
		if whole := float64(e.Whole) / 1e9; whole > to {
			out = append(out, plot.Band{From: x.At(to), To: x.At(whole), Color: amber, Text: fmt.Sprintf("whole %.2f s after %s was healed", whole-to, e.Fault)})
		}
	}
	return out
}
