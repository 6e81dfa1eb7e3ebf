package wal

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
)

// TestFolder uses a real folder in either mode, and in both by turns: stores of all sizes by several groups at once, over many
// segments that become spares and segments again, read back from memory, from the disk, and by the next life. In Always every
// commit counts as synced, however the folder does that.
func TestFolder(t *testing.T) {
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(3, 4))
	next := [3]uint64{1, 1, 1}
	for life, mode := range []Durability{Always, Interval, Always, Always} {
		l, err := Open(dir, Options{
			Durability: mode, SegmentBytes: minSegmentBytes, TailBytes: 1 << 10, Fatal: func(err error) { t.Errorf("fatal: %v", err) },
		})
		must(t, err)
		for id := range next {
			checkKept(t, l, slot.GroupID(id), next[id])
		}
		before := l.Stats()
		var groups sync.WaitGroup
		for id := range next {
			sizes := make([]int, 60)
			for i := range sizes {
				sizes[i] = rng.IntN([]int{50, 5000, 40_000}[i%3])
			}
			groups.Go(func() {
				g := l.Group(slot.GroupID(id))
				for i, size := range sizes {
					e := entries(next[id], 1+i%4, uint64(life+1), size)
					must(t, g.StoreLogs(e))
					next[id] += uint64(len(e))
					if i%20 == 19 {
						must(t, g.DeleteRange(1, next[id]-30))
					}
				}
			})
		}
		groups.Wait()
		for id := range next {
			checkKept(t, l, slot.GroupID(id), next[id])
		}
		if s := l.Stats(); mode == Always && s.Syncs-before.Syncs < s.Commits-before.Commits {
			t.Errorf("%d syncs of %d commits", s.Syncs-before.Syncs, s.Commits-before.Commits)
		}
		must(t, l.Close())
	}
}

// checkKept reads a group's entries back, up to before next.
func checkKept(t *testing.T, l *Log, id slot.GroupID, next uint64) {
	t.Helper()
	g := l.Group(id)
	first, _ := g.FirstIndex()
	last, err := g.LastIndex()
	if err != nil || last != next-1 || next > 30 && first > next-29 {
		t.Errorf("group %d: entries %d to %d, %v, want %d to %d", id, first, last, err, next-29, next-1)
	}
	for i := first; i <= last && i > 0; i++ {
		var e raft.Log
		must(t, g.GetLog(i, &e))
		if err := same(&e, entries(i, 1, e.Term, len(e.Data))[0]); err != nil {
			t.Errorf("group %d: %v", id, err)
		}
	}
}
