package fsm

import (
	"cmp"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// flushes counts them.
type flushes struct{ atomic.Int64 }

func (f *flushes) Changed([]byte) {}
func (f *flushes) Flushed()       { f.Add(1) }

// A reader that comes while slots are emptied one by one, and reads what is to go, must be told afterwards.
func TestFlushTellsWhoReadInItsMidst(t *testing.T) {
	m := New(Genesis{Slots: []slot.Range{{Last: slot.Count - 1}}})
	w := &reply.Writer{}
	apply := func(index uint64, id command.ID, args ...[]byte) {
		m.Begin(index, 1)
		m.Do(&entry.Op{Cmd: id, Args: args}, w)
		m.End()
	}
	keys := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
	slices.SortFunc(keys, func(a, b []byte) int { return cmp.Compare(slot.Of(a), slot.Of(b)) })
	for i, key := range keys {
		apply(uint64(i+1), command.Set, key, []byte("old"))
	}
	get := func(key []byte) string {
		out := &reply.Writer{}
		m.Read(&entry.Op{Cmd: command.Get, Args: [][]byte{key}}, 1, out)
		return string(out.Buf)
	}
	told := &flushes{}
	m.SetObserver(told)

	hold := m.current.Load().serving(slot.Of(keys[1]))
	hold.mu.RLock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		apply(9, command.Flushall)
	}()
	for get(keys[0]) != "$-1\r\n" {
		runtime.Gosched()
	}
	before := told.Load()
	if got := get(keys[2]); got != "$3\r\nold\r\n" {
		t.Errorf("%q in a slot behind the one that holds up the flush", got)
	}
	hold.mu.RUnlock()
	<-done
	if told.Load() == before {
		t.Error("a reader that came in between was not told that its key went")
	}
	if got := get(keys[2]); got != "$-1\r\n" {
		t.Errorf("%q after the flush", got)
	}
}
