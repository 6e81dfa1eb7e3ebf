package wal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// state is what all groups hold, by what was stored. States share entries and slices; none is changed once it is made.
type state map[slot.GroupID][]*raft.Log

// story drives a log with random changes and keeps account of the states that a crash may leave.
type story struct {
	rng  *rand.Rand
	log  *Log
	now  state   // after every change that was acknowledged
	may  []state // what a power cut may leave: what is durable for sure, and each state after it
	kept []state // what the end of the process alone may leave; nil if the power went since
	term uint64
}

func (s *story) change(id slot.GroupID, then []*raft.Log, durable bool, do func() error) error {
	next := maps.Clone(s.now)
	next[id] = then
	s.may = append(s.may, next)
	if err := do(); err != nil {
		return err
	}
	s.now = next
	if durable || s.log.opts.Durability == Always {
		s.may = []state{next}
	}
	return nil
}

// step makes one change that raft could make. Group 4 hardly ever moves: it holds old segments back.
func (s *story) step() error {
	id := slot.GroupID(s.rng.IntN(4))
	if s.rng.IntN(40) == 0 {
		id = 4
	}
	g, held := s.log.Group(id), s.now[id]
	s.term++
	switch n := s.rng.IntN(20); {
	case n < 2 && len(held) > 0: // a conflict
		cut := s.rng.IntN(len(held))
		return s.change(id, held[:cut:cut], true, func() error { return g.DeleteRange(held[cut].Index, held[len(held)-1].Index) })
	case n < 7 && len(held) > 3: // a compaction
		cut := len(held) - s.rng.IntN(3) - 1
		return s.change(id, held[cut:], false, func() error { return g.DeleteRange(held[0].Index, held[cut-1].Index) })
	case n == 7 && id != 4:
		return s.change(id, nil, true, func() error { return s.log.RemoveGroup(id) })
	case n == 8 && s.log.opts.Durability == Interval:
		if err := s.log.Sync(); err != nil {
			return err
		}
		s.may = []state{s.now}
		return nil
	default:
		return s.store(g, id, held)
	}
}

// store appends; now and then behind a gap, as after an installed snapshot.
func (s *story) store(g *GroupLog, id slot.GroupID, held []*raft.Log) error {
	next := uint64(1 + s.rng.IntN(5))
	if len(held) > 0 {
		next = held[len(held)-1].Index + 1
	}
	if s.rng.IntN(15) == 0 {
		next, held = next+1+uint64(s.rng.IntN(50)), nil
	}
	more := entries(next, 1+s.rng.IntN(4), s.term, s.rng.IntN(6000))
	return s.change(id, append(slices.Clip(held), more...), false, func() error { return g.StoreLogs(more) })
}

// check finds which of the states the reopened log holds.
func (s *story) check(l *Log, may []state) error {
	var errs []error
	for _, want := range slices.Backward(may) {
		err := error(nil)
		for id := range slot.GroupID(5) {
			err = errors.Join(err, holds(l, id, want[id]))
		}
		if err == nil {
			s.now, s.may, s.kept = want, []state{want}, nil
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("the log holds none of the %d states that it may:\n%w", len(may), errors.Join(errs...))
}

// mode is one of the ways to write a log.
type mode struct {
	Durability
	direct bool // to files that are SyncWriters
}

var modes = map[string]mode{"always": {}, "always, direct": {direct: true}, "interval": {Durability: Interval}}

func (m mode) on(d *crashdisk.Disk) disk.FS {
	if m.direct {
		return d.Direct()
	}
	return d
}

// lives runs several lives of a log, each ended by a power cut after some number of operations or by a kill.
func lives(t *testing.T, seed uint64, d mode, cut func(life int) int) {
	t.Helper()
	s := &story{rng: rand.New(rand.NewPCG(seed, uint64(d.Durability))), now: state{}, may: []state{{}}}
	disk := new(crashdisk.Disk)
	for life := range 4 {
		disk.CutPower(cut(life))
		known := false // which of the states the life began with
		l, err := Open("", Options{FS: d.on(disk), Durability: d.Durability, SegmentBytes: minSegmentBytes, TailBytes: 20 << 10, SyncEvery: time.Hour, Fatal: func(error) {}})
		if err == nil {
			s.log = l
			may := s.may
			if s.kept != nil {
				may = s.kept
			}
			err = s.check(l, may) // the power may go while it reads: the log cleans up meanwhile
			known = err == nil
			for n := 0; n < 150 && err == nil; n++ {
				err = s.step()
			}
			l.Close()
		}
		if err != nil && !errors.Is(err, crashdisk.ErrPowerCut) {
			t.Fatalf("seed %d life %d: %v", seed, life, err)
		}
		if s.rng.IntN(3) == 0 {
			disk = disk.Kill()
			if known {
				s.killed(err)
			}
		} else {
			disk = disk.Crash(s.rng)
			s.kept = nil
		}
	}
}

// killed notes what the end of the process leaves while the kernel lives: all that was acknowledged, even in Interval. A
// power cut before the next Open has synced that may still take it.
func (s *story) killed(err error) {
	s.kept = []state{s.now}
	if err != nil {
		s.kept = s.may[max(0, len(s.may)-2):] // the change under way, or not
	}
}

// TestPowerCutAtEveryOperation ends the first life after each number of writes, syncs and renames, also within Open.
func TestPowerCutAtEveryOperation(t *testing.T) {
	for name, d := range modes {
		t.Run(name, func(t *testing.T) {
			for n := range 160 {
				lives(t, 1, d, func(int) int { return n })
			}
		})
	}
}

func TestPowerCutsAtRandom(t *testing.T) {
	for name, d := range modes {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(120) {
				rng := rand.New(rand.NewPCG(seed, 77))
				lives(t, seed, d, func(int) int { return rng.IntN(600) })
			}
		})
	}
}

// A seal needs no sync, but the segment that follows it says that it is there.
func TestPowerCutBehindASealAtASegmentsEnd(t *testing.T) {
	for mode, d := range modes {
		for seed := range uint64(20) {
			disk := new(crashdisk.Disk)
			opts := Options{FS: d.on(disk), Durability: d.Durability, SegmentBytes: minSegmentBytes, SyncEvery: time.Hour, Fatal: func(error) {}}
			l, err := Open("", opts)
			if err != nil {
				t.Fatal(err)
			}
			first, second := entries(1, 1, 1, minSegmentBytes/2), entries(2, 1, 1, minSegmentBytes/2)
			err = errors.Join(l.Group(1).StoreLogs(first), l.syncAndSeal(), l.Group(1).StoreLogs(second), l.Sync())
			if err != nil {
				t.Fatal(err)
			}
			if n := l.active.Load().number; n != 2 {
				t.Fatalf("the second entry is in segment %d", n)
			}
			disk.CutPower(0)
			l.Close()
			opts.FS = d.on(disk.Crash(newRand(seed)))
			l, err = Open("", opts)
			if err != nil {
				t.Fatalf("%s, seed %d: %v", mode, seed, err)
			}
			if err := holds(l, 1, append(first, second...)); err != nil {
				t.Errorf("%s, seed %d: %v", mode, seed, err)
			}
			l.Close()
		}
	}
}

// recycling stops the cleaner between the renaming of an old segment to a spare and the syncing of the directory, and
// stores until the next segment takes a spare; then the power goes, right after that one's new header is on the disk.
type recycling struct {
	disk                   *crashdisk.Disk
	stage                  atomic.Int32
	renames, goOn, renamed chan struct{}
	gone                   chan struct{}
}

// The stages of recycling.
const (
	filling int32 = iota
	renaming
	syncing
	waiting
	dark
)

func newRecycling() *recycling {
	r := &recycling{
		disk: new(crashdisk.Disk), renames: make(chan struct{}), goOn: make(chan struct{}), renamed: make(chan struct{}), gone: make(chan struct{}),
	}
	r.disk.SetHook(r.hook)
	return r
}

func (r *recycling) hook(op crashdisk.Op, name string) error {
	spare := strings.HasSuffix(name, spareSuffix)
	switch {
	case r.stage.Load() == dark:
		return crashdisk.ErrPowerCut
	case op == crashdisk.Rename && !spare && r.stage.CompareAndSwap(filling, renaming):
		close(r.renames)
		<-r.goOn
	case op == crashdisk.SyncDir && r.stage.CompareAndSwap(syncing, waiting):
		close(r.renamed)
		<-r.gone
		return crashdisk.ErrPowerCut
	case op == crashdisk.Rename && spare && r.stage.CompareAndSwap(waiting, dark):
		close(r.gone)
		return crashdisk.ErrPowerCut
	}
	return nil
}

// fill stores and deletes until the power goes, and returns what the log must hold then. It calls then while the directory waits
// to be synced.
func (r *recycling) fill(t *testing.T, g *GroupLog, then func()) (held []*raft.Log) {
	for i := uint64(1); i < 10_000; i++ {
		e := entries(i, 1, 1, 4000)
		if g.StoreLogs(e) != nil {
			return held
		}
		if held = append(held, e...); len(held) > 3 {
			must(t, g.DeleteRange(held[0].Index, held[0].Index))
			held = held[1:]
		}
		select {
		case <-r.renames:
			if r.stage.CompareAndSwap(renaming, syncing) {
				close(r.goOn)
				<-r.renamed
				then()
			}
		default:
		}
	}
	t.Fatal("the power never went")
	return nil
}

// life is that of a process until the power goes, in which a segment becomes a spare and then does what is asked. It returns how the log was
// opened, and what it was told to keep.
func (r *recycling) life(t *testing.T, then func()) (Options, []*raft.Log) {
	t.Helper()
	opts := Options{FS: r.disk, SegmentBytes: minSegmentBytes, SyncEvery: time.Hour, Fatal: func(error) {}}
	l, err := Open("", opts)
	must(t, err)
	defer l.Close()
	return opts, r.fill(t, l.Group(1), then)
}

func TestPowerCutBeforeASparesNameIsDurable(t *testing.T) {
	for seed := range uint64(20) {
		r := newRecycling()
		opts, held := r.life(t, func() {})
		opts.FS = r.disk.Crash(newRand(seed))
		l, err := Open("", opts)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := holds(l, 1, held); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		l.Close()
	}
}

// The same, but the process ends before the directory is synced, and the power goes in the next one's Open.
func TestPowerCutAfterAKillBeforeASparesNameIsDurable(t *testing.T) {
	for seed := range uint64(20) {
		r := newRecycling()
		var killed *crashdisk.Disk
		opts, _ := r.life(t, func() {
			killed = r.disk.Kill()
			r.stage.Store(dark)
			close(r.gone)
		})
		var off atomic.Bool
		killed.SetHook(func(op crashdisk.Op, name string) error {
			if op == crashdisk.Rename && strings.HasSuffix(name, spareSuffix) {
				off.Store(true)
			}
			if off.Load() {
				return crashdisk.ErrPowerCut
			}
			return nil
		})
		opts.FS = killed
		if _, err := Open("", opts); err == nil {
			t.Fatal("the power did not go")
		}
		opts.FS = killed.Crash(newRand(seed))
		l, err := Open("", opts)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		l.Close()
	}
}
