package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// reopened opens a copy of the disk and reports what group 1 then holds: an error, or nil if it holds want.
func reopened(d *crashdisk.Disk, want []*raft.Log) error {
	l, err := Open("", Options{FS: d.Kill(), SegmentBytes: minSegmentBytes, Fatal: func(error) {}})
	if err != nil {
		return err
	}
	defer l.Close()
	if err := holds(l, 1, want); err != nil {
		return fmt.Errorf("SILENT: %w", err)
	}
	return nil
}

// written fills a log of two segments, and ends it with end.
func written(t *testing.T, end func(*Log)) (*crashdisk.Disk, []*raft.Log) {
	t.Helper()
	d := new(crashdisk.Disk)
	l := open(t, d, nil)
	var all []*raft.Log
	for i := range uint64(12) {
		all = append(all, entries(3*i+1, 3, 1, 2500)...)
		must(t, l.Group(1).StoreLogs(all[3*i:]))
	}
	if n, _ := d.List(); len(n) < 2 {
		t.Fatalf("files %v, want two segments", n)
	}
	end(l)
	return d, all
}

// TestEveryFlippedBitIsHarmlessOrAnError flips a bit in each place of a log that was closed, in all of its segments. It
// may hit bytes that mean nothing (then everything is still there) or be noticed, and nothing else.
func TestEveryFlippedBitIsHarmlessOrAnError(t *testing.T) {
	d, all := written(t, func(l *Log) { must(t, l.Close()) })
	rng := newRand(5)
	for _, name := range []string{segmentName(1), segmentName(2)} {
		noticed := 0
		for at := int64(0); at < minSegmentBytes; at += 1 + rng.Int64N(50+at/20) {
			bit := uint(rng.IntN(8))
			d.Flip(name, at, bit)
			if err := reopened(d, all); err != nil {
				noticed++
				if !errors.Is(err, ErrCorrupt) && at != 7 || strings.Contains(err.Error(), "SILENT") || !strings.Contains(err.Error(), name) {
					t.Fatalf("%s offset %d: %v", name, at, err)
				}
			}
			d.Flip(name, at, bit)
		}
		if noticed < 30 {
			t.Errorf("%s: %d flips noticed: the test flips where nothing is", name, noticed)
		}
	}
	must(t, reopened(d, all))
}

// TestLastBatchIsGuardedOnceTheLogIsIdle: right after its sync, damage to the last batch looks like a torn write, and the
// log without it is served; that is the one case that a log cannot tell. One idle tick later, it can.
func TestLastBatchIsGuardedOnceTheLogIsIdle(t *testing.T) {
	for _, durability := range []Durability{Always, Interval} {
		synctest.Test(t, func(t *testing.T) {
			d := new(crashdisk.Disk)
			l := open(t, d, func(o *Options) { o.SyncEvery, o.Durability = time.Second, durability })
			all := entries(1, 2, 1, 1000)
			must(t, l.Group(1).StoreLogs(all[:1]))
			must(t, l.Group(1).StoreLogs(all[1:]))
			must(t, l.Sync())
			last := l.end - 100
			flipped := func() error {
				d.Flip(l.active.Load().name, last, 3)
				defer d.Flip(l.active.Load().name, last, 3)
				return reopened(d, all)
			}
			if err := flipped(); err == nil || !strings.Contains(err.Error(), "SILENT") {
				t.Errorf("%v: damage in the unsealed last batch: %v: the documentation says that this is not noticed", durability, err)
			}
			time.Sleep(3 * time.Second)
			if err := flipped(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: damage in the sealed last batch: %v", durability, err)
			}
			commits := l.Stats().Commits
			time.Sleep(time.Hour)
			if now := l.Stats().Commits; now != commits {
				t.Errorf("%v: an idle log was sealed %d times more", durability, now-commits)
			}
		})
	}
}

// A seal that went around the page cache is on the disk: the batch behind it says so, and does not go with it.
func TestDamagedSealBeforeTheLastBatch(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, func(o *Options) { o.FS = d.Direct() })
	all := entries(1, 2, 1, 1000)
	must(t, l.Group(1).StoreLogs(all[:1]))
	must(t, l.syncAndSeal())
	seal := l.filled.Load() - 1
	must(t, l.Group(1).StoreLogs(all[1:]))
	must(t, reopened(d, all))
	d.Flip(l.active.Load().name, seal, 3)
	if err := reopened(d, all); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged seal: %v", err)
	}
}

// TestIntervalTellsTornFromDamaged: of batches that were not synced, any may be missing with later ones there; of the
// synced ones, none.
func TestIntervalTellsTornFromDamaged(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, func(o *Options) { o.Durability = Interval })
	all := entries(1, 4, 1, 1000)
	ends := []int64{}
	for i := range all {
		must(t, l.Group(1).StoreLogs(all[i:i+1]))
		ends = append(ends, l.end)
		if i == 0 {
			must(t, l.Sync())
		}
	}
	name := l.active.Load().name
	d.Flip(name, ends[1]-50, 0) // batch 2 was torn, say; 3 and 4 made it to the disk
	must(t, reopened(d, all[:1]))
	d.Flip(name, ends[1]-50, 0)
	d.Flip(name, ends[0]-50, 0) // batch 1 was synced: 2 to 4 say so
	if err := reopened(d, all[:1]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damaged synced batch: %v", err)
	}
}

func TestMissingAndForeignFiles(t *testing.T) {
	d, all := written(t, func(l *Log) { must(t, l.Close()) })
	for name, c := range map[string]struct {
		change func(d *crashdisk.Disk) error
		want   string
	}{
		"first segment removed":  {func(d *crashdisk.Disk) error { return d.Remove(segmentName(1)) }, "segments from 00000001.wal on are needed"},
		"middle segment removed": {func(d *crashdisk.Disk) error { return d.Remove(segmentName(2)) }, "missing"},
		"segment renamed":        {func(d *crashdisk.Disk) error { return d.Rename(segmentName(1), segmentName(4)) }, "was the file renamed?"},
		"file cut short":         {replace(segmentName(2), 5000), "not a log segment"},
		"empty file":             {replace(segmentName(2), 0), "cut to 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := d.Kill()
			l := open(t, damaged, nil) // a third segment
			must(t, l.Group(1).StoreLogs(entries(37, 1, 1, 10)))
			must(t, l.Close())
			must(t, c.change(damaged))
			if err := reopened(damaged, all); err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	other := d.Kill()
	_, err := other.Create("README.txt", 10, nil)
	must(t, err)
	_, err = other.Create("0001.wal", 10, nil) // not a name of ours
	must(t, err)
	must(t, reopened(other, all))
}

func replace(name string, size int64) func(*crashdisk.Disk) error {
	return func(d *crashdisk.Disk) error {
		_, err := d.Create(name, size, nil)
		return err
	}
}

// TestDamageFoundWhileReadingIsFatal: not only Open looks.
func TestDamageFoundWhileReadingIsFatal(t *testing.T) {
	d, c := new(crashdisk.Disk), new(counted)
	l := open(t, d, func(o *Options) { o.TailBytes, o.Fatal = 1, c.fatal })
	must(t, l.Group(1).StoreLogs(entries(1, 3, 1, 1000)))
	must(t, l.Group(1).GetLog(1, new(raft.Log)))
	at := l.Group(1).index.at(1)
	d.Flip(segmentName(at.segment), int64(at.offset)+500, 1)
	if err := l.Group(1).GetLog(1, new(raft.Log)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damaged entry: %v", err)
	}
	c.once(t, ErrCorrupt)
	dead(t, l)
}

// TestMissingOldestSegment: after segments went for good reason, the next one is still known to be needed.
func TestMissingOldestSegment(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, nil)
	g := l.Group(1)
	for i := range uint64(60) {
		must(t, g.StoreLogs(entries(i+1, 1, 1, 4000)))
	}
	must(t, g.DeleteRange(1, 20))
	settle(t, "the first segment gone", func() bool { return l.segments.oldest().number > 1 })
	must(t, l.Close())
	oldest := l.segments.oldest().name
	kept := entries(21, 40, 1, 4000)
	must(t, reopened(d, kept))
	must(t, d.Remove(oldest))
	err := reopened(d, kept)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "segments from "+oldest+" on are needed") {
		t.Errorf("without %s: %v", oldest, err)
	}
}

// TestContradictionsInTheLog: checksums are right, what the records say together is not; only a fault of ours writes it.
func TestContradictionsInTheLog(t *testing.T) {
	one, three := entries(1, 1, 1, 10)[0], entries(3, 1, 1, 10)[0]
	for want, records := range map[string][]*raft.Log{
		"group 5 has entry 1 and then 3": {one, three},
		"group 5 stores entry 1 twice":   {one, one},
	} {
		b := new(batch)
		b.reset()
		for _, e := range records {
			b.entry(kindEntry, 5, e)
		}
		b.finish(fuzzSalt, 1, 0)
		if err := reopened(segmentOf(t, b.buf), nil); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
