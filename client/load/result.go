package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a measurement saw.
type Result struct {
	Ops       int64         `json:"ops"`
	Errors    int64         `json:"errors"`
	Redirects int64         `json:"redirects"`
	Misses    int64         `json:"misses"`
	Elapsed   time.Duration `json:"elapsed_ns"`
	OpsPerSec float64       `json:"ops_per_second"`
	// CPUPerOp is user and system time of the server processes, in microseconds per operation; 0 without pids.
	CPUPerOp float64 `json:"server_cpu_us_per_op"`
	// Latencies in microseconds, of whole pipelines.
	Mean float64 `json:"mean_us"`
	P50  int64   `json:"p50_us"`
	P95  int64   `json:"p95_us"`
	P99  int64   `json:"p99_us"`
	P999 int64   `json:"p999_us"`
	Max  int64   `json:"max_us"`
	// FirstError is the text of the first error reply or broken connection.
	FirstError string `json:"first_error,omitempty"`
}

// newHistogram covers 1 µs to 1 min at three significant digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

func (r *Result) fill(h *hdrhistogram.Histogram, cpu time.Duration) {
	r.Mean = h.Mean()
	r.P50, r.P95, r.P99 = h.ValueAtQuantile(50), h.ValueAtQuantile(95), h.ValueAtQuantile(99)
	r.P999, r.Max = h.ValueAtQuantile(99.9), h.Max()
	if s := r.Elapsed.Seconds(); s > 0 {
		r.OpsPerSec = float64(r.Ops) / s
	}
	if r.Ops > 0 {
		r.CPUPerOp = float64(cpu.Microseconds()) / float64(r.Ops)
	}
}
