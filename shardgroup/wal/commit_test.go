package wal

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// TestStoresOfManyGroupsShareAWrite: those that come while a sync runs go into the next batch, together.
func TestStoresOfManyGroupsShareAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(crashdisk.Disk)
		var commits []Commit
		l := open(t, d, func(o *Options) { o.Observe = func(c Commit) { commits = append(commits, c) } })
		release := make(chan struct{})
		d.SetHook(func(op crashdisk.Op, _ string) error {
			if op == crashdisk.Sync {
				<-release
			}
			return nil
		})
		var stores sync.WaitGroup
		stores.Go(func() { must(t, l.Group(0).StoreLogs(entries(1, 1, 1, 100))) })
		synctest.Wait()
		for id := range slot.GroupID(63) {
			stores.Go(func() { must(t, l.Group(1+id).StoreLogs(entries(1, 2, 1, 100))) })
		}
		synctest.Wait()
		close(release)
		stores.Wait()
		if len(commits) != 2 || commits[0].Stores != 1 || commits[1].Stores != 63 || commits[1].Entries != 126 {
			t.Errorf("commits %+v, want one of 1 store and one of 63 stores with 126 entries", commits)
		}
		if s := l.Stats(); s.Syncs != 2 || s.Commits != 2 || s.Stores != 64 || s.Entries != 127 || s.Groups != 64 {
			t.Errorf("%+v", s)
		}
		must(t, l.Close())
	})
}

// TestFullBatch: stores that do not fit wait for the next one; a store larger than a batch is split, an entry larger
// than a segment gets a segment of its own.
func TestFullBatch(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, nil)
	var stores sync.WaitGroup
	want := map[slot.GroupID][]*raft.Log{}
	for id := range slot.GroupID(6) {
		want[id] = entries(1, 3, 1, maxBatchBytes/2+1000)
	}
	want[6] = entries(1, 1, 1, maxBatchBytes+1000)
	for id, e := range want {
		stores.Go(func() { must(t, l.Group(id).StoreLogs(e)) })
	}
	stores.Wait()
	for id, e := range want {
		must(t, holds(l, id, e))
	}
	must(t, l.Close())
	l = open(t, d, nil)
	for id, e := range want {
		must(t, holds(l, id, e))
	}
}

// TestManyGroupsAtOnce runs what raft does, in 64 groups at a time, with readers beside: for the race detector, and then
// a power cut. Segments come and go meanwhile.
func TestManyGroupsAtOnce(t *testing.T) {
	const groups, rounds = 64, 25
	d := new(crashdisk.Disk)
	l := open(t, d, func(o *Options) { o.TailBytes, o.SyncEvery = 64<<10, 10*time.Millisecond })
	var held [groups][]*raft.Log
	var running sync.WaitGroup
	for id := range held {
		running.Go(func() { held[id] = live(t, l.Group(slot.GroupID(id)), uint64(id), rounds) })
	}
	running.Wait()
	for id, want := range held {
		must(t, holds(l, slot.GroupID(id), want))
	}
	settle(t, "disk space for no more than twice what is needed", func() bool { return !l.wasteful() })
	l = open(t, d.Crash(newRand(3)), nil)
	for id, want := range held {
		must(t, holds(l, slot.GroupID(id), want))
	}
}

// live is one group's life: appends, reads of what is there by two readers, conflicts and compactions.
func live(t *testing.T, g *GroupLog, seed uint64, rounds int) (held []*raft.Log) {
	rng := newRand(seed)
	next := uint64(1)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() { readAll(t, g, stop) })
	}
	for round := range rounds {
		more := entries(next, 1+rng.IntN(4), uint64(round+1), rng.IntN(3000))
		must(t, g.StoreLogs(more))
		held, next = append(held, more...), next+uint64(len(more))
		switch {
		case round%7 == 3 && len(held) > 2:
			must(t, g.DeleteRange(held[len(held)-2].Index, next-1))
			held, next = held[:len(held)-2], next-2
		case round%9 == 5 && len(held) > 8:
			must(t, g.DeleteRange(held[0].Index, held[len(held)-6].Index))
			held = held[len(held)-5:]
		}
	}
	close(stop)
	readers.Wait()
	return held
}

// readAll reads entries until stop: each is there, whole, or gone.
func readAll(t *testing.T, g *GroupLog, stop chan struct{}) {
	var e raft.Log
	for i := uint64(1); ; i++ {
		select {
		case <-stop:
			return
		default:
			runtime.Gosched()
		}
		first, _ := g.FirstIndex()
		last, _ := g.LastIndex()
		if last == 0 {
			continue
		}
		index := first + i%(last-first+1)
		switch err := g.GetLog(index, &e); {
		case err == raft.ErrLogNotFound:
		case err != nil:
			t.Error(err)
			return
		default:
			if err := same(&e, entries(index, 1, e.Term, len(e.Data))[0]); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// TestANearlyFullSegmentIsSynced: in Interval stores do not wait, when a segment is full, for all of it to be synced.
func TestANearlyFullSegmentIsSynced(t *testing.T) {
	l := open(t, new(crashdisk.Disk), func(o *Options) { o.Durability = Interval }) // and the next tick is an hour away
	number := l.active.Load().number
	for index := uint64(1); l.filled.Load() <= minSegmentBytes*31/32; index++ {
		if l.synced.Load() > 0 {
			t.Fatalf("synced with %d bytes of %d", l.filled.Load(), minSegmentBytes)
		}
		must(t, l.Group(1).StoreLogs(entries(index, 1, 1, 300)))
	}
	if l.active.Load().number != number {
		t.Fatal("the segment was filled without a stop at its end")
	}
	settle(t, "a sync", func() bool { return l.synced.Load() == l.written.Load() })
}
