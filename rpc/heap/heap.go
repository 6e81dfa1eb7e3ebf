package heap

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
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
)

// asked has a message for Keep if somebody called Purge.
var asked = make(chan struct{}, 1)

// Purge has memory returned that holds nothing, also if the server is busy. It does not wait for that.
func Purge() {
	select {
	case asked <- struct{}{}:
	default:
	}
}

// Keep adapts GOGC to the heap and returns memory to the system until ctx ends.
func Keep(ctx context.Context) { keep(ctx, every) }

func keep(ctx context.Context, every time.Duration) {
	k := keeper{fixed: os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "", percent: 100}
	k.returns.most = debug.SetMemoryLimit(-1)
	defer func() { debug.SetMemoryLimit(k.returns.most) }()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for purge := false; ; {
		k.look(read(), purge).take()
		purge = false
		select {
		case <-ticker.C:
		case <-asked:
			purge = true
		case <-ctx.Done():
			return
		}
	}
}

// step is what is to be done about the heap; of what is 0 nothing.
type step struct {
	// percent is GOGC, limit is GOMEMLIMIT.
	percent int
	limit   int64
	collect bool
	// mend is how many bytes may be added to make huge pages again.
	mend uint64
}

func (s step) take() {
	if s.percent > 0 {
		debug.SetGCPercent(s.percent)
	}
	if s.limit > 0 {
		debug.SetMemoryLimit(s.limit)
	}
	if s.collect {
		runtime.GC()
	}
	if s.mend > 0 {
		select {
		case mend <- s.mend:
		default: // the last one waits; nobody makes huge pages, or it is the same soon
		}
	}
}

// sample is the heap at one time, in bytes.
type sample struct {
	// live is what the last collection found, objects is that and what was allocated since.
	live, objects uint64
	// free is memory that holds nothing and was not returned, mapped is all of Go's that was not, released what was.
	free, mapped, released uint64
	// allocated and worked, the CPU time of all but collections as Go estimates it, count since the process began.
	allocated uint64
	worked    time.Duration
	at        time.Time
}

func read() sample {
	s := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/heap/allocs:bytes"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
	metrics.Read(s)
	collected := time.Duration(s[6].Value.Float64() * float64(time.Second))
	return sample{
		live: s[0].Value.Uint64(), objects: s[1].Value.Uint64(), free: s[2].Value.Uint64(),
		mapped: s[3].Value.Uint64() - s[4].Value.Uint64(), released: s[4].Value.Uint64(), allocated: s[5].Value.Uint64(), worked: cpuTime() - collected, at: time.Now(),
	}
}

// cpuTime is the process's user and system time.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // as if it did nothing
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// keeper decides.
type keeper struct {
	// fixed: somebody else has set GOGC, which was percent.
	fixed   bool
	percent int
	returns returns
	mends   mends
}

// look says what to do about a heap. purge: somebody wants memory returned.
func (k *keeper) look(s sample, purge bool) step {
	if next := k.returns.look(s, purge); next != (step{}) {
		return next
	}
	if k.returns.busy() && k.mends.due(s) {
		return step{mend: spare(s.live)}
	}
	// To set it stops the world for a moment, so small changes are left alone.
	want := percentFor(s.live)
	if k.fixed || want*16 <= k.percent*17 && want*17 >= k.percent*16 {
		return step{}
	}
	k.percent = want
	return step{percent: want}
}

// percentFor is GOGC for a heap of which so much is alive.
func percentFor(live uint64) int {
	return int(min(100*spare(live)/max(live, 1), mostPercent))
}

// spare is how much garbage may gather.
func spare(live uint64) uint64 { return max(live/spareShare, leastSpare) }
