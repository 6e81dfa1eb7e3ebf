package heap

import (
	"context"
	"math"
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

	// every is the time between two looks at the heap, glances how many glances at a quiet server's work are in it.
	every   = time.Second
	glances = 4
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
	ticker := time.NewTicker(every / glances)
	defer ticker.Stop()
	for purge, ok := false, true; ok; purge, ok = k.wait(ctx, ticker.C, every) {
		next := k.look(read(), purge)
		if next.take(); next.collect {
			k.returns.since(worked(), time.Now()) // sweeping is work, too, that nobody asked for
		}
	}
}

// wait waits for the next look. It comes sooner if somebody asks, or once a quiet server has work again: work ends a return of memory,
// and needs the huge pages that the return broke up. ok is false if ctx has ended.
func (k *keeper) wait(ctx context.Context, glance <-chan time.Time, every time.Duration) (purge, ok bool) {
	for range glances {
		select {
		case <-glance:
			if k.returns.wakes(worked(), every) {
				return false, true
			}
		case <-asked:
			return true, true
		case <-ctx.Done():
			return false, false
		}
	}
	return false, true
}

// step is what to do about the heap; zero fields mean that nothing is to be done.
type step struct {
	// percent is GOGC, limit is GOMEMLIMIT.
	percent int
	limit   int64
	collect bool
	// mend: huge pages are to be made again, or those that wait are to be given up.
	mend *mend
}

func (s step) take() {
	if s.mend != nil {
		s.mend.ask() // before a collection, which may take seconds
	}
	if s.percent > 0 {
		debug.SetGCPercent(s.percent)
	}
	if s.limit > 0 {
		debug.SetMemoryLimit(s.limit)
	}
	if s.collect {
		runtime.GC()
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
	}
	metrics.Read(s)
	return sample{
		live: s[0].Value.Uint64(), objects: s[1].Value.Uint64(), free: s[2].Value.Uint64(),
		mapped: s[3].Value.Uint64() - s[4].Value.Uint64(), released: s[4].Value.Uint64(), allocated: s[5].Value.Uint64(), worked: worked(), at: time.Now(),
	}
}

// worked is the time used, without that of collections, as Go estimates it.
func worked() time.Duration {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(s)
	return used() - time.Duration(s[0].Value.Float64()*float64(time.Second))
}

// used is the process's user and system time.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // as if it did nothing
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// keeper decides.
type keeper struct {
	// fixed: GOGC or GOMEMLIMIT is set in the environment, so GOGC is left alone. percent is GOGC as it was set last.
	fixed   bool
	percent int
	returns returns
	mends   mends
}

// look says what to do about a heap. purge: somebody wants memory returned.
func (k *keeper) look(s sample, purge bool) step {
	next := k.returns.look(s, purge)
	if next.collect {
		next.mend = &mend{forget: true}
		k.mends.owed = true
	}
	k.mends.note(s)
	if k.returns.busy() && k.mends.due(s.live) {
		next.mend = &mend{mapped: s.mapped}
		if k.returns.most == math.MaxInt64 { // with a limit, what Go does not know of has no place
			next.mend.spare = spare(s.live)
		}
	}
	if next != (step{}) {
		return next
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
