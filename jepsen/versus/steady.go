package versus

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Steadiness says how evenly a machine that has nothing else to do computes. A virtual one whose host gives its processors
// to others for tens of milliseconds has long tails of its own, whatever is measured on it.
type Steadiness struct {
	// Typical is how long some fixed work takes, in microseconds: the median of Samples, one per millisecond.
	Typical float64 `json:"typical_us"`
	Samples int     `json:"samples"`
	// P99, P999 and Most are percentiles and the longest, in microseconds.
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
	Most float64 `json:"max_us"`
	// Long counts samples that took over 2 ms longer than usual.
	Long int `json:"over_2ms"`
	// Slow is the share, in percent, that took over three times as long, and Longest the longest time during which each
	// sample took over 1.4 times as long, from the beginning of the first to the end of the last.
	Slow    float64       `json:"slow_percent"`
	Longest time.Duration `json:"longest_slow_ns"`
}

// steadyFor is for how long the machine is watched; slow phases here came about once a second.
const steadyFor = 3 * time.Second

func (s Steadiness) String() string {
	if s.Samples == 0 {
		return ""
	}
	return fmt.Sprintf("at rest, %.0f µs of computing take over three times as long in %.1f %% of tries, and longer than usual for up to %v in a row",
		s.Typical, s.Slow, s.Longest.Round(time.Millisecond))
}

// computing is a try: when it began, and how many microseconds the work took.
type computing struct {
	at   time.Duration
	took float64
}

// steadiness watches the machine for d, or until ctx ends.
func steadiness(ctx context.Context, d time.Duration) Steadiness {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var tries []computing
	for start := time.Now(); time.Since(start) < d && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		at := time.Now()
		compute()
		tries = append(tries, computing{at.Sub(start), float64(time.Since(at).Nanoseconds()) / 1000})
	}
	return steadinessOf(tries)
}

func steadinessOf(tries []computing) Steadiness {
	s := Steadiness{Samples: len(tries)}
	if s.Samples == 0 {
		return s
	}
	took := each(tries, func(x computing) float64 { return x.took })
	slices.Sort(took)
	last := len(took) - 1
	s.Typical, s.P99, s.P999, s.Most = took[len(took)/2], took[last*99/100], took[last*999/1000], took[last]
	slow, since := 0, time.Duration(-1)
	for _, x := range tries {
		if x.took > 3*s.Typical {
			slow++
		}
		if x.took > s.Typical+longPause*1e6 {
			s.Long++
		}
		if x.took <= 1.4*s.Typical {
			since = -1
			continue
		}
		if since < 0 {
			since = x.at
		}
		s.Longest = max(s.Longest, x.at+time.Duration(x.took*1000)-since)
	}
	s.Slow = 100 * float64(slow) / float64(len(tries))
	return s
}

// computed keeps compute's work from being left out.
var computed uint64

// compute is the fixed work: multiplications that wait for each other and need no memory.
func compute() {
	x := computed
	for range 60_000 {
		x = x*6364136223846793005 + 1442695040888963407
	}
	computed = x
}
