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
