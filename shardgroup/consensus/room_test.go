package consensus

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/shardgroup/consensus/snapfile"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// filed gives each node of a cluster a folder for its snapshots.
type filed struct {
	t     *testing.T
	disks map[string]*crashdisk.Disk
}

func (f filed) tune(cfg *Config) {
	d := f.disks[cfg.Self]
	if d == nil {
		d = new(crashdisk.Disk)
		f.disks[cfg.Self] = d
	}
	s, err := snapfile.OpenOn(d)
	if err != nil {
		f.t.Fatal(err)
	}
	cfg.Snapshots, cfg.TrailingLogs = s, 2
}

// fill lets writes into the node's folder fail with err until it is nil, and returns how many snapshots are begun.
func (f filed) fill(n *node, err error) (begun *atomic.Int64) {
	begun = new(atomic.Int64)
	f.disks[n.id].SetHook(func(op crashdisk.Op, _ string) error {
		switch op {
		case crashdisk.Create:
			begun.Add(1)
		case crashdisk.Write:
			return err
		}
		return nil
	})
	return begun
}

// leftovers are the files in a node's folder that are no snapshots.
func (f filed) leftovers(n *node) (left []string) {
	names, _ := f.disks[n.id].List() // it has no errors
	for _, name := range names {
		if !strings.HasSuffix(name, ".snap") {
			left = append(left, name)
		}
	}
	return left
}

// TestNoRoomForASnapshotEndsNothing: F8 is about what somebody relies on. The replica tries again, not all the time, and what to do is said.
func TestNoRoomForASnapshotEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := filed{t, map[string]*crashdisk.Disk{}}
		c := newCluster(t, 1, func(cfg *Config) {
			f.tune(cfg)
			cfg.SnapshotBytes = 1000
		})
		n := c.ready()
		begun := f.fill(n, syscall.ENOSPC)
		write := func(seconds int) {
			for i := range seconds {
				if err := n.propose(fmt.Sprint(i, strings.Repeat("x", 1000))); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
		}
		write(60)
		s := n.Stats()
		if tries := begun.Load(); tries < 3 || tries > 7 || s.SnapshotFailures != uint64(tries) || s.Snapshots != 0 {
			t.Errorf("within a minute %d tries, %d of them failed, and %d snapshots", tries, s.SnapshotFailures, s.Snapshots)
		}
		if err := n.Snapshot(); err == nil || !strings.Contains(err.Error(), "free some space") {
			t.Errorf("a snapshot on a full disk: %v", err)
		}
		if left := f.leftovers(n); len(left) > 0 {
			t.Errorf("%v are left on a full disk", left)
		}
		f.fill(n, nil)
		write(20)
		if s := n.Stats(); s.Snapshots == 0 || s.LogBytes > 30_000 {
			t.Errorf("with room, %d snapshots and %d bytes of log", s.Snapshots, s.LogBytes)
		}
		n.close()
		n.open(false)
		c.agree(80)
	})
}

// TestNoRoomForALeadersSnapshot: the follower stays behind, and catches up when there is room.
func TestNoRoomForALeadersSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := filed{t, map[string]*crashdisk.Disk{}}
		c := newCluster(t, 3, f.tune)
		l := c.ready()
		late := c.others(l)[0]
		f.fill(late, syscall.EDQUOT)
		late.isolate()
		for i := range 10 {
			if err := l.propose(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Snapshot(); err != nil {
			t.Fatal(err)
		}
		c.net.HealAll()
		c.await("failed installation", func() bool { return late.Stats().SnapshotFailures > 1 })
		if left := f.leftovers(late); len(left) > 0 || late.Stats().Installed > 0 {
			t.Errorf("%v are left on a full disk, and %d snapshots installed", left, late.Stats().Installed)
		}
		f.fill(late, nil)
		c.agree(10)
	})
}

// TestOtherFailuresOfASnapshotAreFatal: a disk that fails is not one that is full.
func TestOtherFailuresOfASnapshotAreFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := filed{t, map[string]*crashdisk.Disk{}}
		var fatal atomic.Pointer[error]
		c := newCluster(t, 1, func(cfg *Config) {
			f.tune(cfg)
			cfg.Fatal = func(err error) { fatal.Store(&err) }
		})
		n := c.ready()
		if err := n.propose("x"); err != nil {
			t.Fatal(err)
		}
		f.fill(n, syscall.EIO)
		err := n.Snapshot()
		if why := fatal.Load(); err == nil || why == nil || !errors.Is(*why, syscall.EIO) || n.Stats().SnapshotFailures != 0 {
			t.Errorf("%v, fatal %v, %d failures", err, why, n.Stats().SnapshotFailures)
		}
	})
}
