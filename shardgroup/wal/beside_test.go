package wal

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// bustle is a log on whose disk batches are written beside each other, in any order, until the power goes.
type bustle struct {
	seed uint64
	disk *crashdisk.Disk
	held [4][]*raft.Log // by group: what was acknowledged
	next [4][]*raft.Log // what the change under way at the end makes of it
	term uint64

	mu     sync.Mutex
	rng    *rand.Rand
	now    int // writes under way
	beside int // writes that began beside another one
	holes  int // crashes that left a batch behind one that they took
}

// write takes its time on the disk.
func (s *bustle) write(op crashdisk.Op, _ string) error {
	if op != crashdisk.WriteSync {
		return nil
	}
	s.mu.Lock()
	if s.now++; s.now > 1 {
		s.beside++
	}
	took := time.Duration(s.rng.IntN(1000)) * time.Microsecond
	s.mu.Unlock()
	time.Sleep(took)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return nil
}

// life opens the log, checks what it holds, and has all groups store until nothing can be stored any more.
func (s *bustle) life(t *testing.T) {
	s.disk.SetHook(s.write)
	l, err := Open("", Options{FS: s.disk.Direct(), SegmentBytes: minSegmentBytes, SyncEvery: time.Millisecond, Fatal: func(error) {}})
	if err != nil && !errors.Is(err, crashdisk.ErrPowerCut) {
		t.Fatalf("seed %d: %v", s.seed, err)
	}
	if err != nil {
		return
	}
	defer l.Close()
	if !s.check(t, l) {
		return
	}
	var groups sync.WaitGroup
	for id := range s.held {
		s.term++
		rng := rand.New(rand.NewPCG(s.seed, s.term))
		groups.Go(func() {
			for {
				if err := s.change(l.Group(slot.GroupID(id)), id, rng); errors.Is(err, crashdisk.ErrPowerCut) {
					return
				} else if err != nil {
					t.Errorf("seed %d, group %d: %v", s.seed, id, err)
					return
				}
			}
		})
	}
	groups.Wait()
}

// change stores or compacts, or waits until the others wait too.
func (s *bustle) change(g *GroupLog, id int, rng *rand.Rand) error {
	held := s.held[id]
	index, n := uint64(1), len(held)
	if n > 0 {
		index = held[n-1].Index + 1
	}
	do := func() error { return nil }
	switch kind := rng.IntN(20); {
	case kind == 0:
		time.Sleep(time.Duration(rng.IntN(10_000)) * time.Microsecond)
	case kind < 3 && n > 3:
		cut := n - 1 - rng.IntN(3)
		s.next[id] = held[cut:]
		do = func() error { return g.DeleteRange(held[0].Index, held[cut-1].Index) }
	default:
		more := entries(index, 1+rng.IntN(3), rng.Uint64(), rng.IntN(3000))
		s.next[id] = append(held[:n:n], more...)
		do = func() error { return g.StoreLogs(more) }
	}
	err := do()
	if err == nil {
		s.held[id] = s.next[id]
	}
	return err
}

// check finds what was acknowledged, and of the change under way all or nothing, unless the power goes.
func (s *bustle) check(t *testing.T, l *Log) bool {
	for id := range s.held {
		err := holds(l, slot.GroupID(id), s.held[id])
		if err != nil {
			other := holds(l, slot.GroupID(id), s.next[id])
			if err = errors.Join(err, other); other == nil {
				err, s.held[id] = nil, s.next[id]
			}
		}
		if errors.Is(err, crashdisk.ErrPowerCut) {
			return false
		}
		if err != nil {
			t.Fatalf("seed %d, group %d: %v", s.seed, id, err)
		}
		s.next[id] = s.held[id]
	}
	l.segments.mu.RLock()
	list := slices.Clone(l.segments.list)
	l.segments.mu.RUnlock()
	if n := len(list); n > 1 && behind(list[n-2], list[n-1].first) {
		s.holes++
	}
	return true
}

// behind reports whether s holds a batch behind the missing one.
func behind(s *segment, missing uint64) bool {
	b := make([]byte, s.size)
	if _, err := s.file.ReadAt(b, 0); err != nil {
		return false
	}
	for at := segmentHeaderBytes; at+batchHeaderBytes <= len(b); at += 8 {
		if h, ok := parseBatchHeader(b[at:], s.salt); ok && h.sequence > missing {
			return true
		}
	}
	return false
}

// TestPowerCutsWhileBatchesAreWrittenBesideEachOther: after a power cut a later batch may be on the disk and an earlier one not. Nobody
// was told of either, and the log ends before both.
func TestPowerCutsWhileBatchesAreWrittenBesideEachOther(t *testing.T) {
	beside, holes := 0, 0
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			s := &bustle{seed: seed, disk: new(crashdisk.Disk), rng: newRand(seed)}
			for range 4 {
				s.disk.CutPower(s.rng.IntN(300))
				s.life(t)
				if s.rng.IntN(4) == 0 {
					s.disk = s.disk.Kill()
				} else {
					s.disk = s.disk.Crash(s.rng)
				}
			}
			s.disk.SetHook(nil)
			s.check(t, open(t, s.disk, nil))
			beside, holes = beside+s.beside, holes+s.holes
		})
	}
	if beside == 0 || holes == 0 {
		t.Errorf("%d writes beside others, %d crashes that left a batch behind a missing one: this shows nothing", beside, holes)
	}
	t.Logf("%d writes beside others, %d crashes that left a batch behind a missing one", beside, holes)
}

// heldWrite has the next write of d wait for goOn, and fail with what comes from there.
func heldWrite(d *crashdisk.Disk) (goOn chan error) {
	goOn = make(chan error)
	var held atomic.Bool
	d.SetHook(func(op crashdisk.Op, _ string) error {
		if op == crashdisk.WriteSync && held.CompareAndSwap(false, true) {
			return <-goOn
		}
		return nil
	})
	return goOn
}

// storing stores one entry in each of the groups, and tells who was acknowledged.
func storing(l *Log, ids ...slot.GroupID) chan error {
	results := make(chan error, len(ids))
	for _, id := range ids {
		go func() { results <- l.Group(id).StoreLogs(entries(1, 1, 1, 5000)) }()
		synctest.Wait()
	}
	return results
}

// A batch whose write ended before that of an earlier one is not acknowledged before that one is; and never, if that one fails.
func TestAcknowledgedInOrder(t *testing.T) {
	for name, result := range map[string]error{"written": nil, "failed": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := new(crashdisk.Disk), new(counted)
				l := open(t, d, func(o *Options) { o.FS, o.Fatal = d.Direct(), c.fatal })
				goOn := heldWrite(d)
				results := storing(l, 1, 2, 3)
				if len(results) != 0 || l.Stats().Commits != 1 {
					t.Fatalf("%d results, %d writes ended, want the second one's", len(results), l.Stats().Commits)
				}
				if want := l.synced.Load(); want != 0 {
					t.Errorf("batches up to %d count as synced", want)
				}
				goOn <- result
				for range 3 {
					if err := <-results; !errors.Is(err, result) {
						t.Errorf("%v, want %v", err, result)
					}
				}
				if result != nil {
					c.once(t, result)
					dead(t, l)
				}
			})
		})
	}
}

// The next segment is begun when all of the one before is on the disk: that it exists says so.
func TestNoSegmentBeginsBesideAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(crashdisk.Disk)
		l := open(t, d, func(o *Options) { o.FS = d.Direct() })
		goOn := heldWrite(d)
		first := storing(l, 1)
		large := make(chan error)
		go func() { large <- l.Group(2).StoreLogs(entries(1, 1, 1, minSegmentBytes)) }()
		synctest.Wait()
		if n := l.active.Load().number; n != 1 {
			t.Errorf("segment %d was begun", n)
		}
		goOn <- nil
		must(t, errors.Join(<-first, <-large))
		if n := l.active.Load().number; n != 2 {
			t.Errorf("the large entry is in segment %d, want 2", n)
		}
	})
}

// Gaps between batches are no reason to copy what lies between them.
func TestGapsCountAsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(crashdisk.Disk)
		l := open(t, d, func(o *Options) { o.FS = d.Direct() })
		goOn := heldWrite(d)
		results := storing(l, 1, 2)
		goOn <- nil
		must(t, errors.Join(<-results, <-results))
		_, _, live := l.segments.usage()
		gaps := l.active.Load().gaps.Load()
		if needed := l.segments.needed(); gaps == 0 || gaps >= 4096 || needed <= live || needed > live+gaps {
			t.Errorf("%d live bytes, %d of gaps, %d needed", live, gaps, needed)
		}
		must(t, l.Close())
		l = open(t, d, nil)
		if again := l.segments.list[0].gaps.Load(); again != gaps {
			t.Errorf("%d bytes of gaps after Open, want %d", again, gaps)
		}
	})
}

// A batch waits for the one before if it would leave a gap larger than itself: the log grows by twice what is stored at most.
func TestSmallBatchesLeaveNoGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(crashdisk.Disk)
		l := open(t, d, func(o *Options) { o.FS = d.Direct() })
		goOn := heldWrite(d)
		results := make(chan error)
		for id := range slot.GroupID(2) {
			go func() { results <- l.Group(id).StoreLogs(entries(1, 1, 1, 100)) }()
			synctest.Wait()
		}
		if n := l.Stats().Commits; n != 0 {
			t.Errorf("%d writes ended beside the first", n)
		}
		goOn <- nil
		must(t, errors.Join(<-results, <-results))
		if gaps := l.active.Load().gaps.Load(); gaps != 0 {
			t.Errorf("%d bytes of gaps", gaps)
		}
	})
}
