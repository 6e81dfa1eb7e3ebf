package resp

import (
	"iter"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/quorate/quorate/rpc/heap"
)

// residentBytes is the process's resident memory; fallback where the system does not tell.
func residentBytes(fallback uint64) uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return fallback
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return fallback
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return fallback
	}
	return pages * uint64(os.Getpagesize())
}

// peak is the most memory that was in use when anybody looked.
type peak struct{ atomic.Int64 }

// see notes that n bytes are in use, and returns the most so far.
func (p *peak) see(n int64) int64 {
	for {
		most := p.Load()
		if n <= most || p.CompareAndSwap(most, n) {
			return max(most, n)
		}
	}
}

func mapKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

func cmdMemoryDoctor(c *conn, _ [][]byte) {
	c.w().Verbatim([]byte("No memory problem is known. Compare used_memory, used_memory_heap and used_memory_rss in INFO memory.\n"))
}

func cmdMemoryMallocStats(c *conn, _ [][]byte) {
	objects, total := heapBytes()
	c.w().Verbatim([]byte("Go runtime: " + human(int64(objects)) + " in heap objects, " + human(int64(total)) + " mapped\n"))
}

func cmdMemoryPurge(c *conn, _ [][]byte) {
	heap.Purge()
	c.w().OK()
}

func cmdMemoryStats(c *conn, _ [][]byte) {
	p := &infoPage{c: c, status: c.s.b.Status()}
	led, held := p.logical()
	objects, total := heapBytes()
	peak := c.s.peak.see(max(led, int64(objects)))
	keys := int64(0)
	for _, g := range p.status.Groups {
		if g.Leading {
			keys += g.Keys
		}
	}
	w := c.w()
	pairs := []struct {
		name  string
		value int64
	}{
		{"peak.allocated", peak}, {"total.allocated", int64(objects)}, {"startup.allocated", 0},
		{"dataset.bytes", led}, {"replicas.bytes", held}, {"keys.count", keys}, {"keys.bytes-per-key", led / max(keys, 1)},
		{"allocator.resident", int64(residentBytes(total))},
	}
	w.Map(len(pairs))
	for _, e := range pairs {
		w.BulkString(e.name)
		w.Int(e.value)
	}
}
