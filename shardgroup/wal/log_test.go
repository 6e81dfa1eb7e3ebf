package wal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a log on d with small segments; a failure that the test does not expect fails it.
func open(t testing.TB, d *crashdisk.Disk, change func(*Options)) *Log {
	t.Helper()
	o := Options{SegmentBytes: minSegmentBytes, FS: d, Fatal: func(err error) { t.Errorf("fatal: %v", err) }, SyncEvery: time.Hour}
	if change != nil {
		change(&o)
	}
	l, err := Open("", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// entries makes n entries from index first on, told apart by term and size.
func entries(first uint64, n int, term uint64, size int) []*raft.Log {
	out := make([]*raft.Log, n)
	for i := range out {
		index := first + uint64(i)
		out[i] = &raft.Log{
			Index: index, Term: term, Type: raft.LogCommand,
			Data:       bytes.Repeat([]byte{byte(index), byte(term)}, size/2),
			AppendedAt: time.Unix(1700000000, int64(index)),
		}
		if index%3 == 0 {
			out[i].Extensions = fmt.Appendf(nil, "ext-%d", index)
		}
	}
	return out
}

func same(a, b *raft.Log) error {
	if a.Index != b.Index || a.Term != b.Term || a.Type != b.Type || !bytes.Equal(a.Data, b.Data) ||
		!bytes.Equal(a.Extensions, b.Extensions) || !a.AppendedAt.Equal(b.AppendedAt) {
		return fmt.Errorf("entry %+v, want %+v", a, b)
	}
	return nil
}

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// holds checks that the group's log is exactly want, in order and without holes.
func holds(l *Log, id slot.GroupID, want []*raft.Log) error {
	g := l.Group(id)
	first, err1 := g.FirstIndex()
	last, err2 := g.LastIndex()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if len(want) == 0 {
		if first != 0 || last != 0 {
			return fmt.Errorf("group %d holds %d-%d, want nothing", id, first, last)
		}
		return nil
	}
	if first != want[0].Index || last != want[len(want)-1].Index {
		return fmt.Errorf("group %d holds %d-%d, want %d-%d", id, first, last, want[0].Index, want[len(want)-1].Index)
	}
	for _, w := range want {
		var e raft.Log
		if err := g.GetLog(w.Index, &e); err != nil {
			return fmt.Errorf("group %d entry %d: %w", id, w.Index, err)
		}
		if err := same(&e, w); err != nil {
			return fmt.Errorf("group %d: %w", id, err)
		}
	}
	for _, i := range []uint64{first - 1, last + 1} {
		if err := g.GetLog(i, new(raft.Log)); err != raft.ErrLogNotFound {
			return fmt.Errorf("group %d entry %d: want raft.ErrLogNotFound, got %w", id, i, err)
		}
	}
	return nil
}

func TestEntriesComeBackFromMemoryAndAfterRestart(t *testing.T) {
	d := new(crashdisk.Disk)
	l := open(t, d, nil)
	a, b := entries(1, 50, 1, 100), entries(7, 20, 3, 3000)
	must(t, l.Group(1).StoreLogs(a[:30]))
	must(t, l.Group(2).StoreLogs(b))
	must(t, l.Group(1).StoreLogs(a[30:]))
	check := func(l *Log) {
		t.Helper()
		must(t, holds(l, 1, a))
		must(t, holds(l, 2, b))
		must(t, holds(l, 3, nil))
	}
	check(l)
	must(t, l.Close())
	check(open(t, d, nil))
}
