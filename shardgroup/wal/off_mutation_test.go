//go:build mutation

package wal

import (
	"syscall"
	"testing"

	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// TestAFailedSyncIsNone: with the guard nothing is acknowledged whose sync has failed; without it a power cut takes it.
func TestAFailedSyncIsNone(t *testing.T) {
	for _, off := range []bool{false, true} {
		offFailStop = off
		d := new(crashdisk.Disk)
		l := open(t, d, func(o *Options) { o.Fatal = func(error) {} })
		kept := entries(1, 3, 1, 100)
		must(t, l.Group(1).StoreLogs(kept))
		failing(d, crashdisk.Sync, syscall.EIO)
		more := entries(4, 1, 1, 100)
		acknowledged := l.Group(1).StoreLogs(more) == nil
		if acknowledged != off {
			t.Errorf("guard off: %v; acknowledged: %v", off, acknowledged)
		}
		d.SetHook(nil)
		lost := false
		for seed := range uint64(20) {
			lost = lost || holds(open(t, d.Crash(newRand(seed)), nil), 1, append(kept, more...)) != nil
		}
		if acknowledged && !lost {
			t.Error("no power cut took what was not synced: the disk of this test does not forget")
		}
		l.Close()
	}
	offFailStop = false
}

// TestATornEntryIsNone cuts the power between the write of a large entry and its sync, so that any of its sectors may be
// missing: with the guard the entry is there as it was stored, or not at all; without it the log has one that nobody stored,
// or can't be read any more.
func TestATornEntryIsNone(t *testing.T) {
	kept, more := entries(1, 3, 1, 100), entries(4, 1, 1, 4000)
	for _, off := range []bool{false, true} {
		offChecksum = off
		torn, broken := 0, 0
		for seed := range uint64(40) {
			d := new(crashdisk.Disk)
			l := open(t, d, func(o *Options) { o.Fatal = func(error) {} })
			must(t, l.Group(1).StoreLogs(kept))
			d.CutPower(1)
			if err := l.Group(1).StoreLogs(more); err == nil {
				t.Fatal("an entry was stored without a sync: nothing is tested")
			}
			after, err := Open("", Options{SegmentBytes: minSegmentBytes, FS: d.Crash(newRand(seed)), Fatal: func(error) {}})
			if err != nil {
				broken++
				continue
			}
			if holds(after, 1, kept) != nil && holds(after, 1, append(kept, more...)) != nil {
				torn++
			}
			must(t, after.Close())
		}
		if (torn > 0) != off || broken > 0 && !off {
			t.Errorf("guard off: %v; after %d of 40 power cuts the log had what nobody stored, after %d it could not be opened", off, torn, broken)
		}
	}
	offChecksum = false
}
