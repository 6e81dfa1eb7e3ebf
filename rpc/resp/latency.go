package resp

import (
	"math/bits"
	"strings"

	"github.com/quorate/quorate/fsm/reply"
)

// histogram is a family's latencies: counts[b] commands took less than 2^b µs and at least half of that.
type histogram struct {
	counts [latencyBuckets]uint64
	count  uint64
	sum    uint64
}

func (st *stats) histogram(f family) (h histogram) {
	for b := range h.counts {
		h.counts[b] = st.latency[f][b].Load()
		h.count += h.counts[b]
	}
	h.sum = st.latencySum[f].Load()
	return h
}

// percentile is an upper bound, in µs, of the latency that the fraction q of commands kept.
func (h *histogram) percentile(q float64) uint64 {
	need := uint64(q * float64(h.count))
	seen := uint64(0)
	for b, n := range h.counts {
		if seen += n; seen > need {
			return 1 << b
		}
	}
	return 1 << (latencyBuckets - 1)
}

func bucketOf(usec uint64) int { return min(bits.Len64(usec), latencyBuckets-1) }

// LATENCY's event monitor is not kept: histograms are always on and the metrics have them, so the commands that
// read events find none.
func cmdLatencyLatest(c *conn, _ [][]byte)  { c.w().Array(0) }
func cmdLatencyHistory(c *conn, _ [][]byte) { c.w().Array(0) }

func cmdLatencyReset(c *conn, _ [][]byte) {
	c.s.stats.resetLatency()
	c.w().Int(0)
}

func cmdLatencyGraph(c *conn, args [][]byte) {
	c.w().Error("ERR No samples available for event '" + string(args[0]) + "'")
}

func cmdLatencyDoctor(c *conn, _ [][]byte) {
	var b strings.Builder
	for f := range families {
		if h := c.s.stats.histogram(f); h.count > 0 {
			b.WriteString(familyNames[f] + " commands: p50 below " + micros(h.percentile(0.5)) + ", p99 below " + micros(h.percentile(0.99)) + "\n")
		}
	}
	if b.Len() == 0 {
		b.WriteString("No command was executed yet.\n")
	}
	c.w().Verbatim([]byte(b.String()))
}

// cmdLatencyHistogram answers per family of commands (read, write, other) in Redis's form.
func cmdLatencyHistogram(c *conn, args [][]byte) {
	want := map[string]bool{}
	for _, a := range args {
		want[strings.ToLower(string(a))] = true
	}
	var shown []family
	for f := range families {
		if h := c.s.stats.histogram(f); h.count > 0 && (len(want) == 0 || want[familyNames[f]]) {
			shown = append(shown, f)
		}
	}
	w := c.w()
	w.Map(len(shown))
	for _, f := range shown {
		w.BulkString(familyNames[f])
		h := c.s.stats.histogram(f)
		h.write(w)
	}
}

// write writes the cumulative form: how many commands took at most so many µs.
func (h *histogram) write(w *reply.Writer) {
	w.Map(2)
	w.BulkString("calls")
	w.Int(int64(h.count))
	w.BulkString("histogram_usec")
	filled := 0
	for _, n := range h.counts {
		if n > 0 {
			filled++
		}
	}
	w.Map(filled)
	seen := uint64(0)
	for b, n := range h.counts {
		if n > 0 {
			seen += n
			w.Int(1 << b)
			w.Int(int64(seen))
		}
	}
}
