package versus

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// The metrics that tell what holds servers up.
const (
	// The first four are Quorate's own, see rpc/node.
	applySeconds    = "quorate_apply_seconds"
	markSeconds     = "quorate_mark_seconds"
	entrySeconds    = "quorate_entry_seconds"
	logWriteSeconds = "quorate_log_write_seconds"
	// stopSeconds are Go's stops of the world for a garbage collection.
	stopSeconds = "go_sched_pauses_total_gc_seconds"
	gcCPU       = "go_cpu_classes_gc_total_cpu_seconds_total"
	processCPU  = "process_cpu_seconds_total"
)

// scrape is what all of a system's nodes report at one time.
type scrape []map[string]*dto.MetricFamily

func (r *running) scrape(ctx context.Context) (out scrape, err error) {
	for _, n := range r.nodes {
		f, err := n.Families(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// sum adds a counter up over all labels and nodes.
func (s scrape) sum(name string) (sum float64) {
	for _, node := range s {
		for _, m := range node[name].GetMetric() {
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}

// collected is the share of the processes' CPU time between two scrapes that garbage collection took.
func (s scrape) collected(before scrape) float64 {
	if all := s.sum(processCPU) - before.sum(processCPU); all > 0 {
		return (s.sum(gcCPU) - before.sum(gcCPU)) / all
	}
	return 0
}

// Pauses are what a histogram of durations counted between two scrapes, on all nodes.
type Pauses struct {
	Count uint64 `json:"count"`
	// Long counts those above the histogram's highest bound that is not above 2 ms.
	Long uint64 `json:"over_2ms"`
	// P50, P99 and P999 are the upper bounds of the buckets in which these percentiles are, in seconds.
	P50  float64 `json:"p50_at_most_seconds"`
	P99  float64 `json:"p99_at_most_seconds"`
	P999 float64 `json:"p999_at_most_seconds"`
	// Longest is the upper bound of the longest one's bucket, in seconds.
	Longest float64 `json:"longest_at_most_seconds"`
	// Mean is in seconds.
	Mean float64 `json:"mean_seconds"`
}

// longPause is the goal: nothing holds a group up for longer.
const longPause = 0.002

func (s scrape) since(before scrape, name string) (out Pauses) {
	buckets := map[float64]uint64{}
	sum := 0.0
	for i, sign := range []int64{-1, 1} {
		for _, node := range []scrape{before, s}[i] {
			for _, m := range node[name].GetMetric() {
				h := m.GetHistogram()
				sum += float64(sign) * h.GetSampleSum()
				out.Count += uint64(sign) * h.GetSampleCount()
				below := uint64(0)
				for _, b := range h.Bucket {
					buckets[b.GetUpperBound()] += uint64(sign) * (b.GetCumulativeCount() - below)
					below = b.GetCumulativeCount()
				}
			}
		}
	}
	bound := 0.0 // the highest up to longPause
	for upper := range buckets {
		if upper <= longPause {
			bound = math.Max(bound, upper)
		}
	}
	for upper, n := range buckets {
		if n > 0 {
			out.Longest = math.Max(out.Longest, upper)
		}
		if upper > bound {
			out.Long += n
		}
	}
	if out.Count > 0 {
		out.Mean = sum / float64(out.Count)
	}
	out.Longest = math.Min(out.Longest, math.Max(sum, 0)) // a histogram's last bucket has no bound
	for share, p := range map[float64]*float64{0.5: &out.P50, 0.99: &out.P99, 0.999: &out.P999} {
		*p = math.Min(percentile(buckets, out.Count, share), out.Longest)
	}
	return out
}

// percentile is the upper bound of the bucket below or in which that share of all is.
func percentile(buckets map[float64]uint64, count uint64, share float64) float64 {
	need, seen := uint64(math.Ceil(share*float64(count))), uint64(0)
	for _, upper := range slices.Sorted(maps.Keys(buckets)) {
		if seen += buckets[upper]; seen >= need {
			return upper
		}
	}
	return math.Inf(1)
}

// Percentiles are the count, the percentiles and the longest, in milliseconds.
func (p Pauses) Percentiles() []string {
	ms := func(s float64) string { return fmt.Sprintf("≤ %.3g", s*1000) }
	return []string{fmt.Sprint(p.Count), ms(p.P50), ms(p.P99), ms(p.P999), ms(p.Longest), fmt.Sprint(p.Long)}
}

// String is the longest, and how many were too long.
func (p Pauses) String() string {
	if p.Count == 0 {
		return "none"
	}
	text := fmt.Sprintf("≤ %.3g ms", p.Longest*1000)
	if p.Long > 0 {
		text += fmt.Sprintf(", %d over 2 ms", p.Long)
	}
	return text
}
