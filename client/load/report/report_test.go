package report

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/client/load/plot"
)

func result() load.Result {
	r := load.Result{Ops: 300, OpsPerSec: 100, Elapsed: 3 * time.Second, CPUPerOp: 12.5, Latency: load.Latency{P50: 90, P95: 200, P99: 900, P999: 4000, Max: 51_000}}
	for i := range 3 {
		r.Intervals = append(r.Intervals, load.Interval{End: time.Duration(i+1) * time.Second, Ops: 100, OpsPerSec: 100, CPUs: 0.5, Latency: r.Latency})
	}
	r.Percentiles = append(r.Percentiles, load.Percentile{Percent: 0, Micros: 40}, load.Percentile{Percent: 50, Micros: 90},
		load.Percentile{Percent: 99.9, Micros: 4000}, load.Percentile{Percent: 100, Micros: 51_000})
	return r
}

func write(t *testing.T, r load.Result) string {
	var b strings.Builder
	if err := Write(&b, "a <title>", Facts{{"command", "quorate bench --addr <x>"}}, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageStandsAlone(t *testing.T) {
	html := write(t, result())
	for _, outside := range []string{"http://", "https://", "<script", "src=", "@import", "url("} {
		if strings.Contains(html, outside) {
			t.Errorf("the page holds %q", outside)
		}
	}
	for _, want := range []string{"a &lt;title&gt;", "--addr &lt;x&gt;", "p99.9", "99.9 %", "CPU of the servers", "51ms"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

var svg = regexp.MustCompile(`(?s)<svg.*?</svg>`)

func TestPlotsAreWellFormedAndInside(t *testing.T) {
	quiet := result()
	quiet.CPUPerOp, quiet.Intervals[1].Ops, quiet.Intervals[1].Latency = 0, 0, load.Latency{}
	for name, c := range map[string]struct {
		r     load.Result
		plots int
	}{
		"all there is":         {result(), 4},
		"a pause and no pids":  {quiet, 3},
		"nothing was measured": {load.Result{}, 3},
	} {
		plots := svg.FindAllString(write(t, c.r), -1)
		if len(plots) != c.plots {
			t.Fatalf("%s: %d plots, want %d", name, len(plots), c.plots)
		}
		for _, p := range plots {
			checkPlot(t, name, p)
		}
	}
}

// checkPlot fails if a plot is no XML or has a line that leaves it.
func checkPlot(t *testing.T, name, drawn string) {
	d := xml.NewDecoder(strings.NewReader(drawn))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v in %s", name, err, drawn)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local == "points" {
				checkPoints(t, name, a.Value)
			}
		}
	}
}

func checkPoints(t *testing.T, name, points string) {
	for _, p := range strings.Fields(points) {
		xs, ys, _ := strings.Cut(p, ",")
		x, errX := strconv.ParseFloat(xs, 64)
		y, errY := strconv.ParseFloat(ys, 64)
		if errX != nil || errY != nil || !(x >= plot.Left && x <= plot.Right+0.1 && y >= plot.Top-0.1 && y <= plot.Bottom+0.1) {
			t.Errorf("%s: point %s is outside of the plot", name, p)
		}
	}
}

func TestAnInterruptedMeasurementSaysSo(t *testing.T) {
	for _, interrupted := range []bool{false, true} {
		r := result()
		r.Interrupted = interrupted
		if strings.Contains(write(t, r), "Interrupted") != interrupted {
			t.Errorf("interrupted %v: the page says otherwise", interrupted)
		}
	}
}

// TestAStallIsDrawn: an interval in which nothing was answered has the latencies of what was due.
func TestAStallIsDrawn(t *testing.T) {
	r := result()
	r.Intervals[2].Ops = 0
	for _, line := range latencyOverTime(r).Series {
		if len(line.Dots) != len(r.Intervals) {
			t.Errorf("%s: %d of %d intervals are drawn", line.Name, len(line.Dots), len(r.Intervals))
		}
	}
}
