package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/client/load"
)

func TestTicksAreRoundAndCoverTheValues(t *testing.T) {
	for _, hi := range []float64{0, 0.3, 1, 7, 10, 99, 100, 101, 123_456, 2e6} {
		a, v := linearAxis(hi, 0, 100)
		if v[0] != 0 || v[len(v)-1] < hi || len(v) < 2 || len(v) > fewTicks+2 || a.hi != v[len(v)-1] {
			t.Errorf("linear to %v: %v", hi, v)
		}
	}
	for _, r := range [][2]float64{{1, 1}, {90, 110}, {3, 60e6}, {250, 260}, {0, 5}} {
		a, v := logAxis(r[0], r[1], 0, 100)
		if a.lo > max(r[0], 1e-3) || a.hi < r[1] || len(v) < 2 || !slices.IsSorted(v) {
			t.Errorf("logarithmic %v: %v to %v, %v", r, a.lo, a.hi, v)
		}
	}
}

func TestRoundSteps(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 1: 1, 1.1: 2, 2: 2, 3: 5, 5.5: 10, 0.03: 0.05, 70: 100} {
		if got := roundStep(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("after %v comes %v, want %v", v, got, want)
		}
	}
}

func TestLabels(t *testing.T) {
	for got, want := range map[string]string{
		percentLabel(1): "0 %", percentLabel(10): "90 %", percentLabel(1000): "99.9 %", percentLabel(1e5): "99.999 %",
		countLabel(1500): "1.5k", countLabel(2e6): "2M", countLabel(0): "0", microsLabel(1500): "1.5ms", secondsLabel(0.5): "0.5 s",
		shortMicros(0): "0s", shortMicros(999): "999µs", shortMicros(224_255): "224ms", shortMicros(12_879): "12.9ms", shortMicros(999_999): "1s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

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
func checkPlot(t *testing.T, name, plot string) {
	d := xml.NewDecoder(strings.NewReader(plot))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v in %s", name, err, plot)
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
		if errX != nil || errY != nil || !(x >= left && x <= right+0.1 && y >= top-0.1 && y <= bottom+0.1) {
			t.Errorf("%s: point %s is outside of the plot", name, p)
		}
	}
}
