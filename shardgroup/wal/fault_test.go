package wal

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// counted is a Fatal that counts and remembers.
type counted struct {
	calls atomic.Int32
	first atomic.Pointer[error]
}

func (c *counted) fatal(err error) {
	if c.calls.Add(1) == 1 {
		c.first.Store(&err)
	}
}

// once checks that there was one call, for this reason.
func (c *counted) once(t *testing.T, reason error) {
	t.Helper()
	if n := c.calls.Load(); n != 1 {
		t.Fatalf("fatal called %d times, want once", n)
	}
	if err := *c.first.Load(); reason != nil && !errors.Is(err, reason) {
		t.Errorf("fatal: %v, want %v", err, reason)
	}
}

// dead checks that nothing works any more.
func dead(t *testing.T, l *Log) {
	t.Helper()
	g := l.Group(1)
	_, first := g.FirstIndex()
	_, last := g.LastIndex()
	for op, err := range map[string]error{
		"StoreLogs": g.StoreLogs(entries(900, 1, 9, 10)), "DeleteRange": g.DeleteRange(1, 1), "FirstIndex": first, "LastIndex": last,
		"GetLog": g.GetLog(1, new(raft.Log)), "Sync": l.Sync(), "RemoveGroup": l.RemoveGroup(1), "another group": l.Group(2).StoreLogs(entries(1, 1, 1, 1)),
	} {
		if err == nil || errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("%s after the failure: %v", op, err)
		}
	}
}

// failing makes the operations op fail with err from now on; the disk claims to be well again after the first.
func failing(d *crashdisk.Disk, op crashdisk.Op, err error) {
	var failed atomic.Bool
	d.SetHook(func(o crashdisk.Op, _ string) error {
		if o == op && failed.CompareAndSwap(false, true) {
			return err
		}
		return nil
	})
}

func TestFailedDiskIsFatalOnceAndNothingIsAcknowledged(t *testing.T) {
	for name, c := range map[string]struct {
		op  crashdisk.Op
		err error
	}{
		"no space":     {crashdisk.Write, syscall.ENOSPC},
		"write error":  {crashdisk.Write, syscall.EIO},
		"failed fsync": {crashdisk.Sync, syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			d, c2 := new(crashdisk.Disk), new(counted)
			l := open(t, d, func(o *Options) { o.Fatal = c2.fatal })
			must(t, l.Group(1).StoreLogs(entries(1, 3, 1, 100)))
			failing(d, c.op, c.err)
			if err := l.Group(1).StoreLogs(entries(4, 1, 1, 100)); !errors.Is(err, c.err) {
				t.Fatalf("store: %v, want %v", err, c.err)
			}
			c2.once(t, c.err)
			dead(t, l)
			c2.once(t, c.err)
			if err := l.Close(); !errors.Is(err, c.err) {
				t.Errorf("close: %v, want %v: its caller must not take the log for synced", err, c.err)
			}
		})
	}
}

// TestNoRoomForTheNextSegment: rotation needs a new file.
func TestNoRoomForTheNextSegment(t *testing.T) {
	d, c := new(crashdisk.Disk), new(counted)
	l := open(t, d, func(o *Options) { o.Fatal = c.fatal })
	d.SetHook(func(op crashdisk.Op, _ string) error {
		if op == crashdisk.Create {
			return syscall.ENOSPC
		}
		return nil
	})
	var acknowledged []*raft.Log
	for i := uint64(1); ; i++ {
		e := entries(i, 1, 1, 9000)
		if err := l.Group(1).StoreLogs(e); err != nil {
			break
		}
		acknowledged = append(acknowledged, e...)
		if i > 100 {
			t.Fatal("it never rotated")
		}
	}
	c.once(t, syscall.ENOSPC)
	l.Close()
	d.SetHook(nil)
	must(t, holds(open(t, d, nil), 1, acknowledged))
}

// TestFailedSyncThenRestart: the process ends at the failed sync, the kernel shows its pages to the next process as if
// they were on the disk, that process counts on them, and then the power goes.
func TestFailedSyncThenRestart(t *testing.T) {
	d, c := new(crashdisk.Disk), new(counted)
	l := open(t, d, func(o *Options) { o.Fatal = c.fatal })
	kept := entries(1, 3, 1, 100)
	must(t, l.Group(1).StoreLogs(kept))
	failing(d, crashdisk.Sync, syscall.EIO)
	more := entries(4, 1, 1, 100)
	if l.Group(1).StoreLogs(more) == nil {
		t.Fatal("acknowledged")
	}
	l.Close()

	d.SetHook(nil)
	d = d.Kill()
	l = open(t, d, nil)
	must(t, holds(l, 1, append(kept, more...)))
	for seed := range uint64(20) {
		l := open(t, d.Crash(newRand(seed)), nil)
		must(t, holds(l, 1, append(kept, more...)))
	}
}

// TestStallIsFatal: also the stores that wait behind the one that hangs fail at once, and the stalled one is not
// acknowledged when its sync comes back after all.
func TestStallIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := new(crashdisk.Disk), new(counted)
		l := open(t, d, func(o *Options) { o.Fatal, o.StallTimeout = c.fatal, 3*time.Second })
		must(t, l.Group(1).StoreLogs(entries(1, 1, 1, 1)))
		release := make(chan struct{})
		d.SetHook(func(op crashdisk.Op, _ string) error {
			if op == crashdisk.Sync {
				<-release
			}
			return nil
		})
		results := make(chan error, 4)
		go func() { results <- l.Group(1).StoreLogs(entries(2, 1, 1, 1)) }()
		synctest.Wait()
		for id := range slot.GroupID(3) {
			go func() { results <- l.Group(10 + id).StoreLogs(entries(1, 1, 1, 1)) }()
		}
		time.Sleep(3*time.Second - 1)
		synctest.Wait()
		if len(results) != 0 || c.calls.Load() != 0 {
			t.Fatalf("before the limit: %d results, %d fatal calls", len(results), c.calls.Load())
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if len(results) != 3 {
			t.Errorf("%d stores behind the stalled one have failed, want 3", len(results))
		}
		if c.once(t, nil); !strings.Contains((*c.first.Load()).Error(), "wal: sync did not end within 3s") {
			t.Errorf("fatal: %v", *c.first.Load())
		}
		close(release)
		for range 4 {
			if <-results == nil {
				t.Error("a store was acknowledged after the stall")
			}
		}
		dead(t, l)
		l.Close()
	})
}

// slowDisk takes its time for each write, by its length.
type slowDisk struct {
	disk.FS
	rate time.Duration // bytes a second
}

type slowFile struct {
	disk.File
	rate time.Duration
}

func (d slowDisk) Open(name string) (disk.File, error) {
	f, err := d.FS.Open(name)
	return slowFile{f, d.rate}, err
}

func (f slowFile) WriteAt(b []byte, at int64) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / f.rate)
	return f.File.WriteAt(b, at)
}

// A disk that needs longer than StallTimeout for a large entry is slow, not stuck.
func TestSlowDiskIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := new(crashdisk.Disk), new(counted)
		l := open(t, d, func(o *Options) { o.Fatal, o.FS = c.fatal, slowDisk{d, 1 << 20} })
		large := []*raft.Log{{Index: 1, Term: 1, Data: make([]byte, 32<<20)}}
		must(t, l.Group(1).StoreLogs(large))
		must(t, holds(l, 1, large))
		if n := c.calls.Load(); n > 0 {
			t.Errorf("fatal: %v", *c.first.Load())
		}
	})
}

// TestIntervalSyncsInTheBackground: a store returns without a sync, the tick makes it durable, and a stuck background
// sync is fatal too.
func TestIntervalSyncsInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := new(crashdisk.Disk), new(counted)
		l := open(t, d, func(o *Options) {
			o.Durability, o.SyncEvery, o.StallTimeout, o.Fatal = Interval, time.Second, 3*time.Second, c.fatal
		})
		e := entries(1, 2, 1, 100)
		must(t, l.Group(1).StoreLogs(e))
		if n := l.Stats().Syncs; n != 0 {
			t.Errorf("%d syncs, want none yet", n)
		}
		time.Sleep(1100 * time.Millisecond)
		must(t, holdsAfterCrash(d, 1, e))
		time.Sleep(time.Hour)
		if n := l.Stats().Syncs; n != 1 {
			t.Errorf("%d syncs of an idle log, want the one", n)
		}
		release := make(chan struct{})
		d.SetHook(func(op crashdisk.Op, _ string) error {
			if op == crashdisk.Sync {
				<-release
			}
			return nil
		})
		must(t, l.Group(1).StoreLogs(entries(3, 1, 1, 1)))
		time.Sleep(5 * time.Second)
		c.once(t, nil)
		close(release)
		dead(t, l)
		l.Close()
	})
}

// Who the members are survives a power cut in Interval too, with all that was stored before.
func TestIntervalSyncsMembers(t *testing.T) {
	d := new(crashdisk.Disk)
	g := open(t, d, func(o *Options) { o.Durability = Interval }).Group(1)
	e := entries(1, 3, 1, 100)
	e[2].Type = raft.LogConfiguration
	must(t, g.StoreLogs(e[:2]))
	must(t, g.StoreLogs(e[2:]))
	must(t, holdsAfterCrash(d, 1, e))
}

// holdsAfterCrash checks the group in the worst of power cuts, and leaves d as it is.
func holdsAfterCrash(d *crashdisk.Disk, id slot.GroupID, want []*raft.Log) error {
	var all error
	for seed := range uint64(10) {
		l, err := Open("", Options{FS: d.Crash(newRand(seed)), SegmentBytes: minSegmentBytes, Fatal: func(error) {}})
		if err != nil {
			return err
		}
		all = errors.Join(all, holds(l, id, want), l.Close())
	}
	return all
}

// TestProgramErrorsAreFatal: raft never does these, so whoever does must not go on.
func TestProgramErrorsAreFatal(t *testing.T) {
	for name, do := range map[string]func(g *GroupLog) error{
		"overwrite":            func(g *GroupLog) error { return g.StoreLogs(entries(5, 1, 2, 10)) },
		"hole within a store":  func(g *GroupLog) error { return g.StoreLogs(append(entries(6, 1, 2, 10), entries(8, 1, 2, 10)...)) },
		"delete in the middle": func(g *GroupLog) error { return g.DeleteRange(2, 3) },
		"entry over the limit": func(g *GroupLog) error { return g.StoreLog(&raft.Log{Index: 6, Data: make([]byte, maxEntryBytes+1)}) },
	} {
		t.Run(name, func(t *testing.T) {
			c := new(counted)
			l := open(t, new(crashdisk.Disk), func(o *Options) { o.Fatal = c.fatal })
			must(t, l.Group(1).StoreLogs(entries(1, 5, 1, 10)))
			if err := do(l.Group(1)); err == nil {
				t.Error("no error")
			}
			c.once(t, nil)
		})
	}
}

// What another node sends, in a frame as large as an entry and all that may be around it, is no program's error.
func TestLargestEntryCanBeStored(t *testing.T) {
	largest := &raft.Log{Index: 1, Data: make([]byte, entry.MaxBytes+entry.Envelope)}
	must(t, checkStore(0, []*raft.Log{largest}))
}

// TestClosedAndRemoved: these are not the disk's fault and end nobody's process.
func TestClosedAndRemoved(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, nil)
	old := l.Group(1)
	must(t, old.StoreLogs(entries(1, 5, 1, 10)))
	must(t, l.RemoveGroup(1))
	if err := old.StoreLogs(entries(6, 1, 1, 10)); !errors.Is(err, ErrGroupRemoved) {
		t.Errorf("store to a removed group: %v", err)
	}
	if err := old.GetLog(1, new(raft.Log)); !errors.Is(err, ErrGroupRemoved) {
		t.Errorf("read from a removed group: %v", err)
	}
	must(t, holds(l, 1, nil))
	again := entries(3, 2, 7, 10)
	must(t, l.Group(1).StoreLogs(again))
	must(t, l.Close())
	must(t, l.Close())
	if err := l.Group(1).StoreLogs(entries(5, 1, 7, 10)); !errors.Is(err, ErrClosed) {
		t.Errorf("store after close: %v", err)
	}
	must(t, holds(open(t, d, nil), 1, again))
}

// TestCloseWhileStoring: each store either is there afterwards or has failed with ErrClosed.
func TestCloseWhileStoring(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, nil)
	var storing sync.WaitGroup
	var stored [8][]*raft.Log
	started := make(chan struct{}, len(stored))
	for id := range stored {
		storing.Go(func() {
			for i := uint64(1); ; i++ {
				e := entries(i, 1, 1, 50)
				if err := l.Group(slot.GroupID(id)).StoreLogs(e); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
				stored[id] = append(stored[id], e...)
				if i == 10 {
					started <- struct{}{}
				}
			}
		})
	}
	for range stored {
		<-started
	}
	must(t, l.Close())
	storing.Wait()
	l = open(t, d, nil)
	for id := range stored {
		must(t, holds(l, slot.GroupID(id), stored[id]))
	}
}
