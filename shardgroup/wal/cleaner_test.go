package wal

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
	"github.com/quorate/quorate/shardgroup/wal/disk"
	"github.com/quorate/quorate/shardgroup/wal/failstop"
)

// settle waits until ok holds; the cleaner works in the background.
func settle(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// TestIdleGroupDoesNotHoldTheLogBack: its entries move, again and again, and the disk stays small.
func TestIdleGroupDoesNotHoldTheLogBack(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, func(o *Options) { o.TailBytes = 1 })
	idle := entries(1, 6, 1, 3000)
	must(t, l.Group(1).StoreLogs(idle[:3]))
	busy := l.Group(2)
	const rounds = 400
	var last []*raft.Log
	for i := range uint64(rounds) {
		last = entries(4*i+1, 4, 1, 4000)
		must(t, busy.StoreLogs(last))
		if i > 0 {
			must(t, busy.DeleteRange(4*i-3, 4*i))
		}
		if i == rounds/2 {
			must(t, l.Group(1).StoreLogs(idle[3:]))
		}
		settle(t, "disk small", func() bool { _, disk, _ := l.segments.usage(); return disk < 8*minSegmentBytes })
	}
	if s := l.Stats(); s.Relocated < 6 || s.Relocated > 2000 {
		t.Errorf("%d entries relocated, want a few for each of %d kB written", s.Relocated, s.WrittenBytes>>10)
	}
	must(t, holds(l, 1, idle))
	must(t, holds(l, 2, last))
	must(t, l.Close())
	l = open(t, d, nil)
	must(t, holds(l, 1, idle))
	must(t, holds(l, 2, last))
}

// TestSegmentsAreRecycled: in the steady state no file is made any more, but for a spare when the cleaner comes late.
func TestSegmentsAreRecycled(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, nil)
	g := l.Group(1)
	salts := map[uint64]uint32{} // by which the same file's next life is told from this one
	churn := func(from, to uint64) {
		for i := from; i < to; i++ {
			must(t, g.StoreLogs(entries(i, 1, 1, 4000)))
			if s := l.active.Load(); salts[s.salt] != 0 && salts[s.salt] != s.number {
				t.Fatalf("segments %d and %d share a salt", s.number, salts[s.salt])
			} else {
				salts[s.salt] = s.number
			}
			if i > 3 {
				must(t, g.DeleteRange(i-3, i-3))
			}
			settle(t, "a spare, or room", func() bool { return !l.wantsSpare.Load() || l.segments.spareCount() > 0 })
		}
	}
	churn(1, 200)
	var made atomic.Int32
	d.SetHook(func(op crashdisk.Op, name string) error {
		if op == crashdisk.Create {
			made.Add(1)
		}
		return nil
	})
	before := l.active.Load().number
	churn(200, 600)
	if now := l.active.Load().number; now < before+20 || made.Load() > maxSpares {
		t.Errorf("segments %d to %d made %d files, want at most %d", before, now, made.Load(), maxSpares)
	}
}

// TestRestartsDoNotPileUpFiles: each Open begins a segment.
func TestRestartsDoNotPileUpFiles(t *testing.T) {
	d := new(crashdisk.Disk)
	var all []*raft.Log
	for i := range uint64(30) {
		l := open(t, d, nil)
		must(t, holds(l, 1, all))
		e := entries(i+1, 1, 1, 100)
		must(t, l.Group(1).StoreLogs(e))
		all = append(all, e...)
		settle(t, "few files", func() bool { names, _ := d.List(); return len(names) <= 7 })
		must(t, l.Close())
	}
}

// TestSpareOfAnotherSizeGoes: the configuration changed.
func TestSpareOfAnotherSizeGoes(t *testing.T) {
	d := new(crashdisk.Disk)
	_, err := d.Create(spareName(3), 12345, nil)
	must(t, err)
	_, err = d.Create(spareName(9), minSegmentBytes, nil)
	must(t, err)
	l := open(t, d, nil)
	names, err := d.List()
	must(t, err)
	if want := []string{segmentName(1)}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v: the good spare used, the other gone", names, want)
	}
	if name := l.segments.newSpareName(); name != spareName(10) {
		t.Errorf("next spare %s", name)
	}
}

// patient is a disk whose files take for ever to make, for whoever pauses.
type patient struct {
	*crashdisk.Disk
	paused chan struct{}
}

func (p patient) Create(name string, size int64, pause func() error) (disk.File, error) {
	if pause == nil {
		return p.Disk.Create(name, size, nil)
	}
	close(p.paused)
	for {
		if err := pause(); err != nil {
			return nil, err
		}
	}
}

// TestASpareGivesWay: stores and Close do not wait for one that is being made.
func TestASpareGivesWay(t *testing.T) {
	d := patient{new(crashdisk.Disk), make(chan struct{})}
	l := open(t, d.Disk, func(o *Options) { o.FS = d })
	first := l.active.Load().number
	index := uint64(1)
	store := func() {
		must(t, l.Group(1).StoreLogs(entries(index, 1, 1, 4000)))
		index++
	}
	for !l.wantsSpare.Load() {
		store()
	}
	<-d.paused
	for l.active.Load().number < first+2 {
		store()
	}
	must(t, l.Close())
	names, err := d.List()
	must(t, err)
	if want := []string{segmentName(first), segmentName(first + 1), segmentName(first + 2)}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
}

// TestALateSpareHurries: one that is behind the segment that it is to follow gets no pause.
func TestALateSpareHurries(t *testing.T) {
	l := &Log{latch: failstop.NewLatch(func(err error) { t.Error(err) }), stop: make(chan struct{})}
	close(l.stop) // so that a pause fails at once
	l.opts.SegmentBytes = 4 * disk.PauseBytes
	for filled, want := range map[int64]int{0: 0, disk.PauseBytes: 0, 2 * disk.PauseBytes: 1, 4 * disk.PauseBytes: 3} {
		l.filled.Store(filled)
		pause, hurried := l.giveWay(), 0
		for pause() == nil {
			hurried++
		}
		if hurried != want {
			t.Errorf("%d pieces were hurried while the segment has %d bytes, want %d", hurried, filled, want)
		}
	}
}
