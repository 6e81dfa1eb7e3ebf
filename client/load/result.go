package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a measurement saw.
type Result struct {
	// Ops are operations that the server carried out; those that it refused are Errors.
	Ops    int64 `json:"ops"`
	Errors int64 `json:"errors"`
	// Redirects are the errors that were MOVED.
	Redirects int64 `json:"redirects"`
	// Unanswered are the operations of an open loop that were due by the end and not answered by then; of a closed loop, those whose
	// connection broke, and those under way at the end that had waited longer in the measurement than any that was answered. What their
	// pipelines had waited until then is among the latencies.
	Unanswered int64 `json:"unanswered"`
	// Gets that found nothing are Misses too.
	Gets      int64         `json:"gets"`
	Misses    int64         `json:"misses"`
	Elapsed   time.Duration `json:"elapsed_ns"`
	OpsPerSec float64       `json:"ops_per_second"`
	// CPUPerOp is user and system time of the server processes, in microseconds per operation; 0 without pids. If they ended with what
	// interrupted the measurement, it is as of the last interval's end before.
	CPUPerOp float64 `json:"server_cpu_us_per_op"`
	// Latencies in microseconds, of whole pipelines, without those in which something was refused at once.
	Mean float64 `json:"mean_us"`
	Latency
	// Late is how long after its time the generator itself sent, where it was not waiting for a reply: what the machine adds
	// to latencies by not running who is ready. Only Linux's open loop measures it.
	Late Latency `json:"sent_late"`
	// StoodStill is for how long, in times of 2 ms and more, the mean processor did not run a thread of this process that has real-time priority and
	// nothing to do: that of a virtual machine whose host has it do other things, or nothing. Undisturbed are the
	// latencies of the pipelines during which that did not happen to any, and Disturbed is the share of the others. Slow pipelines are more likely
	// to be among those, whatever they are slow for. Linux's open loop measures it if it may have that priority; else all are 0.
	StoodStill  time.Duration `json:"stood_still_ns"`
	Undisturbed Latency       `json:"undisturbed"`
	Disturbed   float64       `json:"disturbed_share"`
	// Percentiles is the histogram's curve, denser towards the end, up to the slowest pipeline at 100.
	Percentiles []Percentile `json:"percentiles"`
	// Intervals are the measurement cut into equal times, the last one perhaps shorter.
	Intervals []Interval `json:"intervals"`
	// Interrupted: this is what was seen of a measurement that should have taken longer.
	Interrupted bool `json:"interrupted,omitempty"`
	// FirstError is the text of the first error reply or broken connection.
	FirstError string `json:"first_error,omitempty"`
}

// failed is an error if nothing was done at all, and that because of errors.
func (r Result) failed() error {
	if r.Ops > 0 || r.Errors == 0 {
		return nil
	}
	return fmt.Errorf("no operation was done, there were only errors (%d): %s", r.Errors, r.FirstError)
}

// Latency are percentiles of the time from a pipeline's start (open loop: scheduled start) to its last reply, in microseconds.
type Latency struct {
	P50  int64 `json:"p50_us"`
	P95  int64 `json:"p95_us"`
	P99  int64 `json:"p99_us"`
	P999 int64 `json:"p999_us"`
	Max  int64 `json:"max_us"`
}

// Percentile says that this percentage of pipelines took at most Micros.
type Percentile struct {
	Percent float64 `json:"percent"`
	Micros  int64   `json:"us"`
}

// Interval is a part of a measurement.
type Interval struct {
	// End is the time since the measurement's start.
	End       time.Duration `json:"end_ns"`
	Ops       int64         `json:"ops"`
	Errors    int64         `json:"errors"`
	OpsPerSec float64       `json:"ops_per_second"`
	// CPUs is how many cores the server processes kept busy; 0 without pids.
	CPUs float64 `json:"server_cpus"`
	Latency
}

// newHistogram covers all that can take place in a measurement, and a minute at least, from 1 µs at three significant digits. A minute
// takes 140 KiB, and each doubling 8 more.
func newHistogram(p Plan) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, max(time.Minute, p.Warmup+p.Duration).Microseconds(), 3)
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	v := h.ValueAtPercentilesSlice([]float64{50, 95, 99, 99.9})
	return Latency{P50: v[0], P95: v[1], P99: v[2], P999: v[3], Max: h.Max()}
}

func curveOf(h *hdrhistogram.Histogram) (out []Percentile) {
	for _, b := range h.CumulativeDistributionWithTicks(5) {
		out = append(out, Percentile{Percent: b.Quantile, Micros: min(b.ValueAt, h.Max())})
	}
	return out
}
