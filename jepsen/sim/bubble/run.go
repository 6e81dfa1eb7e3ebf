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
	"runtime/metrics"
	"sync"
	"testing"
	"testing/synctest"
)

// Env is what the process of a run needs in its environment, beside what it inherits.
var Env = []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1,randseednop=0", "GOTRACEBACK=all"}

var errFailed = errors.New("the function in the bubble did not return")

// Run runs f in a bubble and returns when all goroutines that f started have ended. If some never do, or all are blocked,
// the process ends with a trace of them on standard error: that is a finding. Otherwise nothing is printed. It can be
// called once per process.
func Run(seed uint64, f func()) error {
	runtime.MemProfileRate = 0 // samples are taken at random
	rand.Reader = newSource(seed)
	mathrand.Seed(int64(seed)) // deprecated, but hashicorp/raft draws its timeouts from the global source
	// The collector's goroutines start with its first run, and then whoever asked goes on on any thread; but not here.
	runtime.LockOSThread()
	runtime.GC()
	runtime.UnlockOSThread()
	returned := false
	test := testing.InternalTest{Name: "bubble", F: func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			align(20)
			f()
			returned = true
		})
	}}
	code, err := silently(func() int { return testing.MainStart(deps{}, []testing.InternalTest{test}, nil, nil, nil).Run() })
	if err == nil && (code != 0 || !returned) {
		err = errFailed
	}
	if err != nil {
		return fmt.Errorf("bubble: %w", err)
	}
	return nil
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

// garbage is how large the heap may grow before Settle collects it.
const garbage = 192 << 20

var heapSize = []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}

// Settle keeps the run on the seed's way: call it now and then, after equal virtual times, from one goroutine of the bubble.
// It frees memory if there is much garbage. The garbage collector does not run by itself, because it interrupts whoever
// runs, at a time that no seed knows; here everybody else waits for the clock.
func Settle() {
	if metrics.Read(heapSize); heapSize[0].Value.Uint64() < garbage {
		return
	}
	synctest.Wait()
	runtime.GC()
	align(16)
}
