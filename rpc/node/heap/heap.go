package heap

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// spareShare and leastSpare say how much garbage may gather: this part of what is alive, and at least so many bytes.
	spareShare = 8
	leastSpare = 64 << 20
	// mostPercent bounds GOGC while next to nothing is alive.
	mostPercent = 1600

	// every is the time between two looks at the heap.
	every = time.Second
	// quietLooks is after how many looks in a row with few allocations a server is quiet.
	quietLooks = 3
	// quietShare and quietBytes say what few is: this part of what is alive and so many bytes between two looks. SETs that
	// overwrite allocate little: with 2 GB alive and a 128th, full load counted as quiet, and memory was returned every six seconds
	// at 5 % of the CPU time.
	quietShare = 1024
	quietBytes = 1 << 20
	// returnShare and leastReturn say what is worth returning: it costs a collection.
	returnShare = 32
	leastReturn = 16 << 20
	// restLooks is how many looks lie between two returns at least.
	restLooks = 60
)

// Keep adapts GOGC to the heap and returns memory to the system until ctx ends.
func Keep(ctx context.Context) {
	k := keeper{fixed: os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "", percent: 100}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if percent, release := k.look(read()); release {
			debug.FreeOSMemory()
		} else if percent > 0 {
			debug.SetGCPercent(percent)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sample is the heap at one time, in bytes.
type sample struct {
	// live is what the last collection found, objects is that and what was allocated since.
	live, objects uint64
	// free is memory that holds nothing and was not returned.
	free uint64
	// allocated counts since the process began.
	allocated uint64
}

func read() sample {
	s := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(s)
	return sample{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64()}
}

// keeper decides.
type keeper struct {
	// fixed: somebody else has set GOGC, which was percent.
	fixed     bool
	percent   int
	allocated uint64
	quiet     int
	// rest is how many looks must pass before the next return.
	rest int
}

// look says what to do about a heap: set GOGC, unless percent is 0, or return memory.
func (k *keeper) look(s sample) (percent int, release bool) {
	if s.allocated-k.allocated <= s.live/quietShare+quietBytes {
		k.quiet++
	} else {
		k.quiet = 0
	}
	k.allocated = s.allocated
	k.rest = max(k.rest-1, 0)
	garbage := max(s.objects, s.live) - s.live
	if k.quiet >= quietLooks && k.rest == 0 && garbage+s.free > max(s.live/returnShare, leastReturn) {
		k.quiet, k.rest = 0, restLooks
		return 0, true
	}
	// To set it stops the world for a moment, so small changes are left alone.
	want := percentFor(s.live)
	if k.fixed || want*16 <= k.percent*17 && want*17 >= k.percent*16 {
		return 0, false
	}
	k.percent = want
	return want, false
}

// percentFor is GOGC for a heap of which so much is alive.
func percentFor(live uint64) int {
	return int(min(100*max(live/spareShare, leastSpare)/max(live, 1), mostPercent))
}
