package oracle

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
)

func entry(index, term uint64, data string) *raft.Log {
	return &raft.Log{Index: index, Term: term, Type: raft.LogCommand, Data: []byte(data)}
}

// both stores entries at a node and has it apply them.
func both(o *Oracle, node string, logs raft.LogStore, entries ...*raft.Log) {
	w := o.Watch(1, node, logs)
	for _, l := range entries {
		_ = w.StoreLog(l) // of a store in memory
		o.Applied(1, node, l)
	}
}

func TestWhatCannotBe(t *testing.T) {
	serving := func(id slot.GroupID, first, last uint16) *fsm.Machine {
		return fsm.New(fsm.Genesis{Group: id, Slots: []slot.Range{{First: first, Last: last}}})
	}
	for name, c := range map[string]struct {
		do   func(o *Oracle)
		want string // a part of the violation; "" for none
	}{
		"a term has one leader": {func(o *Oracle) { o.Led(1, 3, "a"); o.Led(1, 3, "a"); o.Led(1, 4, "b"); o.Led(2, 3, "b") }, ""},
		"two leaders in a term": {func(o *Oracle) { o.Led(1, 3, "a"); o.Led(1, 3, "b") }, "two leaders in term 3"},
		"replicas apply the same, again after a restart": {func(o *Oracle) {
			a := raft.NewInmemStore()
			both(o, "a", a, entry(1, 1, "x"), entry(3, 2, "y"))
			both(o, "b", raft.NewInmemStore(), entry(1, 1, "x"), entry(3, 2, "y"))
			both(o, "a", a, entry(1, 1, "x"), entry(3, 2, "y"), entry(4, 2, "z"))
		}, ""},
		"two entries at one committed index": {func(o *Oracle) {
			both(o, "a", raft.NewInmemStore(), entry(1, 1, "x"), entry(2, 1, "y"))
			both(o, "b", raft.NewInmemStore(), entry(1, 1, "x"), entry(2, 2, "z"))
		}, "has not entry 2 of term 1"},
		"a committed entry that the log behind another has not": {func(o *Oracle) {
			both(o, "a", raft.NewInmemStore(), entry(1, 1, "x"), entry(2, 1, "y"))
			b := o.Watch(1, "b", raft.NewInmemStore())
			_ = b.StoreLogs([]*raft.Log{entry(1, 1, "x"), {Index: 2, Term: 2, Type: raft.LogNoop}, entry(3, 2, "z")})
			o.Applied(1, "b", entry(3, 2, "z"))
		}, "has not entry 2 of term 1"},
		"another entry of the same index and term": {func(o *Oracle) {
			_ = o.Watch(1, "a", raft.NewInmemStore()).StoreLog(entry(5, 2, "x"))
			_ = o.Watch(1, "b", raft.NewInmemStore()).StoreLog(entry(5, 2, "y"))
		}, "stores another entry 5 of term 2"},
		"the same entry behind different ones": {func(o *Oracle) {
			_ = o.Watch(1, "a", raft.NewInmemStore()).StoreLogs([]*raft.Log{entry(4, 1, "x"), entry(5, 3, "y")})
			_ = o.Watch(1, "b", raft.NewInmemStore()).StoreLogs([]*raft.Log{entry(4, 2, "z"), entry(5, 3, "y")})
		}, "elsewhere it is behind term 1"},
		"a term falls along a log": {func(o *Oracle) {
			_ = o.Watch(1, "a", raft.NewInmemStore()).StoreLogs([]*raft.Log{entry(4, 3, "x"), entry(5, 2, "y")})
		}, "behind term 3"},
		"equal replicas":  {func(o *Oracle) { o.Digest(1, "a", 7, fsm.Digest{1}); o.Digest(1, "b", 7, fsm.Digest{1}) }, ""},
		"replicas differ": {func(o *Oracle) { o.Digest(1, "a", 7, fsm.Digest{1}); o.Digest(1, "b", 7, fsm.Digest{2}) }, "at index 7"},
		"slots of two groups": {func(o *Oracle) {
			o.Witness(1, "a").Restored(serving(1, 0, 5))
			o.Witness(2, "b").Restored(serving(2, 5, 9))
		}, "serves slot 5"},
		"a replica goes back": {func(o *Oracle) {
			w := o.Witness(1, "a")
			w.Applied(entry(9, 1, "x"), serving(1, 0, 5))
			w.Applied(entry(8, 1, "x"), serving(1, 0, 5))
		}, "applies entry 8 after 9"},
	} {
		var told []string
		o := New(func(v Violation) { told = append(told, v.Text) })
		c.do(o)
		got := ""
		for _, v := range o.Violations() {
			got += v.Text + "\n"
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) || len(told) != len(o.Violations()) {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
}

// What a majority may have lost may be replaced, and nothing that is older.
func TestForgiveness(t *testing.T) {
	for name, c := range map[string]struct {
		old, lost time.Duration // when the entries were applied; the forgiveness begins at 10 s
		violation bool
	}{
		"a new entry is lost":  {5 * time.Second, 10 * time.Second, false},
		"an old entry is lost": {5 * time.Second, 9 * time.Second, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, began := New(func(Violation) {}), time.Now()
			a := o.Watch(1, "a", raft.NewInmemStore())
			at := func(d time.Duration, l *raft.Log) {
				time.Sleep(time.Until(began.Add(d)))
				_ = a.StoreLog(l)
				o.Applied(1, "a", l)
			}
			at(c.old, entry(1, 1, "x"))
			at(c.lost, entry(2, 1, "y"))
			time.Sleep(time.Until(began.Add(12 * time.Second)))
			over := o.Forgive(1, began.Add(10*time.Second))
			b := raft.NewInmemStore()
			_ = o.Watch(1, "b", b).StoreLogs([]*raft.Log{entry(1, 1, "x"), {Index: 2, Term: 2, Type: raft.LogNoop}, entry(3, 2, "z")})
			o.Applied(1, "b", entry(3, 2, "z"))
			over()
			if v := o.Violations(); (len(v) > 0) != c.violation {
				t.Errorf("%s: %v", name, v)
			}
			if lost := o.Lost(1, c.lost); lost == c.violation {
				t.Errorf("%s: lost at %v: %v", name, c.lost, lost)
			}
			if o.Lost(1, c.old) {
				t.Errorf("%s: what was acknowledged before counts as lost", name)
			}
			if log := o.Log(1); !c.violation && (len(log) != 2 || log[1].Index != 3) {
				t.Errorf("%s: the log is %v", name, log)
			}
		})
	}
}

// A snapshot of those that went on without what a majority has lost may take a replica back that has applied it, and no other may.
func TestForgettingASnapshot(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o, began := New(func(Violation) {}), time.Now()
			w, m := o.Witness(1, "a"), fsm.New(fsm.Genesis{Group: 1}) // a state before any entry
			w.Applied(entry(1, 1, "x"), m)
			time.Sleep(time.Second)
			if lost {
				over := o.Forgive(1, began)
				time.Sleep(time.Second)
				over()
			}
			time.Sleep(time.Second)
			o.Witness(1, "b").Applied(entry(2, 1, "what goes on is not lost"), m)
			w.Restored(m)
			if v := o.Violations(); (len(v) == 0) != lost {
				t.Errorf("lost with the power of a majority: %v; found %v", lost, v)
			}
		})
	}
}
