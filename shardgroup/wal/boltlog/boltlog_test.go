package boltlog

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/shardgroup/wal/failstop"
)

func TestGroupsAreApartAndLast(t *testing.T) {
	dir := t.TempDir()
	open := func() (*Log, raft.LogStore, raft.LogStore) {
		l, err := Open(dir, 0, func(err error) { t.Errorf("fatal: %v", err) })
		if err != nil {
			t.Fatal(err)
		}
		a, errA := l.Group(1)
		b, errB := l.Group(2)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		return l, a, b
	}
	l, a, b := open()
	for i := range uint64(9) {
		if err := a.StoreLog(&raft.Log{Index: i + 1, Term: 4}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.StoreLog(&raft.Log{Index: 77, Term: 5}); err != nil {
		t.Fatal(err)
	}
	if again, err := l.Group(1); again != a || err != nil {
		t.Errorf("a second store for the same group, error %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l, a, b = open()
	want(t, a, 1, 9)
	want(t, b, 77, 77)
	if err := l.RemoveGroup(1); err != nil {
		t.Fatal(err)
	}
	a, err := l.Group(1)
	if err != nil {
		t.Fatal(err)
	}
	want(t, a, 0, 0)
	want(t, b, 77, 77)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.GetLog(77, new(raft.Log)); !errors.Is(err, failstop.ErrClosed) {
		t.Errorf("read after close: %v", err) // and it was not fatal
	}
}

func want(t *testing.T, s raft.LogStore, first, last uint64) {
	t.Helper()
	f, err1 := s.FirstIndex()
	n, err2 := s.LastIndex()
	if f != first || n != last || err1 != nil || err2 != nil {
		t.Errorf("holds %d-%d (%v, %v), want %d-%d", f, n, err1, err2, first, last)
	}
}

// TestFailureOfOneGroupStopsAll: they share the disk.
func TestFailureOfOneGroupStopsAll(t *testing.T) {
	fatal := 0
	l, err := Open(t.TempDir(), 0, func(error) { fatal++ })
	if err != nil {
		t.Fatal(err)
	}
	a, _ := l.Group(1)
	b, _ := l.Group(2)
	l.groups[1].bolt.Close() // its writes fail from here on
	if a.StoreLog(&raft.Log{Index: 1}) == nil || b.StoreLog(&raft.Log{Index: 1}) == nil {
		t.Error("a store succeeded after the disk failed")
	}
	if fatal != 1 {
		t.Errorf("fatal called %d times, want once", fatal)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
