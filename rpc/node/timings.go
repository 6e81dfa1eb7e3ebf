package node

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/shardgroup/wal"
)

// timings are how long things took on this node, all shard groups together.
type timings struct {
	apply, mark, entry, write timing
	snapshot                  dated
}

func newTimings() timings {
	// From 64 µs to 8 s in steps of a half and a third, so that two milliseconds, the longest pause that a snapshot may make, is a bound.
	var short []float64
	for b := 62.5e-6; b < 10; b *= 2 {
		short = append(short, b, 1.5*b)
	}
	return timings{
		apply: newTiming("apply_seconds", "How long a batch of entries kept a group from applying anything else.", short),
		mark:  newTiming("mark_seconds", "How long the mark of a snapshot, which covers the state at that moment, kept a group from applying anything.", short),
		entry: newTiming("entry_seconds", "How long an entry took that this node proposed, until it was applied here.", short),
		snapshot: dated{newTiming("snapshot_seconds", "How long it took to write a snapshot and to drop the log behind it; writes go on meanwhile.",
			prometheus.ExponentialBuckets(0.001, 2, 18)), new(atomic.Int64)},
		write: newTiming("log_write_seconds", "How long a batch of log entries of all groups took: to be on the disk with durability always, to be written with interval. The log-store boltdb does not say.", short),
	}
}

func (t timings) collect(out chan<- prometheus.Metric) {
	for _, x := range []timing{t.apply, t.mark, t.entry, t.snapshot.timing, t.write} {
		x.Collect(out)
	}
}

type timing struct{ prometheus.Histogram }

func newTiming(name, help string, buckets []float64) timing {
	return timing{prometheus.NewHistogram(prometheus.HistogramOpts{Name: "quorate_" + name, Help: help, Buckets: buckets})}
}

func (t timing) observe(d time.Duration) { t.Observe(d.Seconds()) }

// dated is a timing that knows when it last observed anything, in Unix seconds; 0 if it has not.
type dated struct {
	timing
	last *atomic.Int64
}

func (d dated) observe(took time.Duration) {
	d.timing.observe(took)
	d.last.Store(time.Now().Unix())
}

// written is for wal.Options.Observe.
func (t timings) written(c wal.Commit) {
	if c.Entries > 0 {
		t.write.observe(c.Write + c.Sync)
	}
}
