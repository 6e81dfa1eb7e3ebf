package bubble

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand"
	randv2 "math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Env is what the process of a run needs in its environment, and should be all of it. That stacks begin with what they were
// seen to need only saves time.
var Env = []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1,randseednop=0,adaptivestackstart=1,memprofilerate=0", "GOTRACEBACK=all"}

var errFailed = errors.New("the function in the bubble did not return")

// unsteady is set when another run of the same seed may do something else.
var unsteady bool

// Steady reports, after Run, whether another run of the same seed will do the same. It will not where the runtime's random
// numbers can't be set, nor if goroutines were seen on another thread than the process's
// first: each thread has its own numbers, and which one is free is not up to the seed.
func Steady() bool { return !unsteady }

// steady puts the run on the seed's way.
func steady(seed uint64, zeros int) {
	unsteady = !align(seed, zeros) || !onFirstThread() || unsteady
}

// Prepare must be the first thing that the process's main does. From then on what it does follows from what it reads.
func Prepare() {
	steady(0, 20)
	wipe()
	steady(0, 0)
	onAllProcessors()
}

// Run runs f in a bubble and returns when all goroutines that f started have ended. If some never do, or all are blocked,
// the process ends with a trace of them on standard error: that is a finding. Otherwise nothing is printed. It can be
// called once per process, after Prepare.
func Run(seed uint64, f func()) error {
	rand.Reader = newSource(seed)
	mathrand.Seed(int64(seed)) // deprecated, but hashicorp/raft draws its timeouts from the global source
	returned := false
	test := testing.InternalTest{Name: "bubble", F: func(t *testing.T) {
		defer excuse(&returned)
		synctest.Test(t, func(*testing.T) {
			wipe()
			steady(seed, 20)
			f()
			unsteady = unsteady || !onFirstThread()
			returned = true
		})
	}}
	defer awake()
	code, err := silently(func() int { return testing.MainStart(deps{}, []testing.InternalTest{test}, nil, nil, nil).Run() })
	if err == nil && (code != 0 || !returned) {
		err = errFailed
	}
	if err != nil {
		return fmt.Errorf("bubble: %w", err)
	}
	return nil
}

// awake has the runtime work as it does elsewhere: with a collector, and with a second processor, which is what wakes those
// who wait for a time while somebody computes.
func awake() {
	debug.SetGCPercent(100)
	runtime.GOMAXPROCS(2)
}

// silently runs f, which belongs to package testing, without arguments to parse and a place to print to.
func silently(f func() int) (int, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	stdout, args := os.Stdout, os.Args
	os.Stdout, os.Args = null, args[:1]
	defer func() { os.Stdout, os.Args = stdout, args }()
	return f(), nil
}

// source is a seeded source for crypto/rand.
type source struct {
	mu     sync.Mutex
	stream *randv2.ChaCha8
}

func newSource(seed uint64) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return &source{stream: randv2.NewChaCha8(key)}
}

func (s *source) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream.Read(b)
}

// garbage is how much may be thrown away before Settle collects it; less in a test. Little is quicker: the processor's caches
// hold it, and the kernel need not find more and more memory.
var garbage uint64 = 64 << 20

// limit is the heap's size at which Settle collects. What is in use for good may grow, but not so that there is a collection each time.
var limit uint64

var heapSize = []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}

func heap() uint64 {
	metrics.Read(heapSize)
	return heapSize[0].Value.Uint64()
}

// Settle frees memory if there is much garbage: call it now and then, after equal virtual times, from one goroutine of the
// bubble. The garbage collector does not run by itself, because it interrupts whoever runs, at a time that no seed knows.
// All others are asleep meanwhile. After it the runtime's caches are not what they were, and how often they miss costs
// random numbers, so the run is put back on the seed's way.
func Settle(seed uint64) {
	if heap() < max(limit, garbage) {
		return
	}
	synctest.Wait()
	runtime.GC()
	used := heap()
	limit = used + max(used, garbage)
	wipe()
	steady(seed+collections.Add(1), 20)
}

// collections counts Settle's.
var collections atomic.Uint64
