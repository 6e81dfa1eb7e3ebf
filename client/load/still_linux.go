package load

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// still notices when a processor stands still, as those of a virtual machine do when its host has them do other things, or nothing: a
// thread on each sleeps for a moment, again and again, with real-time priority, so that it waits for nobody when it wakes.
type still struct {
	rec     *recorder
	begin   time.Time
	threads int          // that watch
	last    atomic.Int64 // when the last standstill ended, since begin
	ended   atomic.Bool
	wg      sync.WaitGroup
}

const (
	// stillTick is the time between looks. On a virtual machine it took 4 % of each processor.
	stillTick = 2 * time.Millisecond
	// standstill is how late a thread has to wake for its processor to have stood still.
	standstill = 2 * time.Millisecond
	// mostWatched bounds the processors that are watched.
	mostWatched = 8
)

// watchStill returns one that watches nothing if this process may not have real-time priority (CAP_SYS_NICE).
func watchStill(r *recorder) *still {
	s := &still{rec: r, begin: time.Now()}
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return s
	}
	ready := make(chan bool)
	for cpu := 0; cpu < len(set)*64 && s.threads < mostWatched; cpu++ {
		if !set.IsSet(cpu) {
			continue
		}
		s.wg.Go(func() { s.watch(cpu, ready) })
		if <-ready {
			s.threads++
		}
	}
	// Each has a processor of Go's while it is awake, and nobody of those who work should lose his for that.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + s.threads)
	r.watches(s.threads)
	return s
}

func (s *still) watch(cpu int, ready chan<- bool) {
	restore, err := prefer(cpu)
	defer restore()
	ready <- err == nil
	if err != nil {
		return
	}
	tick := unix.NsecToTimespec(int64(stillTick))
	for last := time.Now(); !s.ended.Load(); {
		if unix.Nanosleep(&tick, nil) != nil {
			last = time.Now()
			continue // a signal
		}
		now := time.Now()
		if late := now.Sub(last) - stillTick; late >= standstill {
			s.last.Store(int64(now.Sub(s.begin)))
			s.rec.stoodStill(late)
		}
		last = now
	}
}

// prefer ties the goroutine to a thread on that processor with the lowest of the real-time priorities, until restore. The thread must
// live on: children that were started on it may be set to end with it (PR_SET_PDEATHSIG).
func prefer(cpu int) (restore func(), err error) {
	runtime.LockOSThread()
	var before, only unix.CPUSet
	attr, err := unix.SchedGetAttr(0, 0)
	if err == nil {
		err = unix.SchedGetaffinity(0, &before)
	}
	if err != nil {
		return runtime.UnlockOSThread, err
	}
	only.Set(cpu)
	if err = unix.SchedSetaffinity(0, &only); err == nil {
		err = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	}
	return func() {
		if errors.Join(unix.SchedSetAttr(0, attr, 0), unix.SchedSetaffinity(0, &before)) == nil {
			runtime.UnlockOSThread() // else the thread ends with the goroutine
		}
	}, err
}

func (s *still) watching() bool { return s.threads > 0 }

// happened reports whether a processor stood still after t.
func (s *still) happened(t time.Time) bool { return s.last.Load() > int64(t.Sub(s.begin)) }

func (s *still) end() {
	s.ended.Store(true)
	s.wg.Wait()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - s.threads)
}
