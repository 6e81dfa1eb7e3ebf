package fsm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// start is the clock at which test machines begin, Unix ms.
const start = int64(1_700_000_000_000)

var allSlots = []slot.Range{{First: 0, Last: slot.Count - 1}}

// replica is a machine with the clock and the log position of the test that feeds it.
type replica struct {
	t     testing.TB
	m     *fsm.Machine
	now   int64
	index uint64
}

func newReplica(t testing.TB, slots ...slot.Range) *replica {
	if slots == nil {
		slots = allSlots
	}
	return &replica{t: t, m: fsm.New(fsm.Genesis{Group: 7, HashSeed: 42, Slots: slots}), now: start}
}

// apply runs ops as one entry and returns the joined replies.
func (r *replica) apply(w *reply.Writer, ops ...entry.Op) {
	r.index++
	r.m.Begin(r.index, r.now)
	list := make([]*entry.Op, len(ops))
	for i := range ops {
		list[i] = &ops[i]
	}
	r.m.Ahead(list)
	for i := range ops {
		if v := r.m.Do(&ops[i], w); v != fsm.Done {
			r.t.Fatalf("%v: verdict %d", ops[i].Cmd, v)
		}
	}
	r.m.End()
}

// do runs one command as an entry of its own and returns its RESP2 reply.
func (r *replica) do(args ...string) string { return r.doProto(2, args...) }

func (r *replica) doProto(proto int8, args ...string) string {
	r.t.Helper()
	w := &reply.Writer{Proto: proto}
	r.apply(w, opOf(r.t, args...))
	return string(w.Buf)
}

// read runs one command as a reader whose clock is wall.
func (r *replica) read(wall int64, args ...string) (string, fsm.Verdict) {
	r.t.Helper()
	w := &reply.Writer{}
	op := opOf(r.t, args...)
	v := r.m.Read(&op, wall, w)
	return string(w.Buf), v
}

func opOf(t testing.TB, args ...string) entry.Op {
	t.Helper()
	words := bytesOf(args...)
	spec := command.Find(words)
	if spec == nil {
		t.Fatalf("no command %q", args)
	}
	return entry.Op{Cmd: spec.ID, Args: words[spec.Words():]}
}

func bytesOf(args ...string) [][]byte {
	out := make([][]byte, len(args))
	for i, a := range args {
		out[i] = []byte(a)
	}
	return out
}

func digestOf(m *fsm.Machine) string {
	s := m.Snapshot()
	defer s.Release()
	return s.Digest().String()
}

func expect(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestClockNeverFalls(t *testing.T) {
	r := newReplica(t)
	r.do("SET", "k", "v", "PX", "100")
	r.now += 100
	expect(t, r.do("GET", "k"), "$-1\r\n")
	r.now -= 5000
	expect(t, r.do("GET", "k"), "$-1\r\n")
	if got := r.m.Now(); got != start+100 {
		t.Errorf("clock %d, want %d", got, start+100)
	}
}

func TestReadBehindDeadlineNeedsAdvance(t *testing.T) {
	r := newReplica(t)
	r.do("SET", "k", "v", "PX", "100")
	for wall, want := range map[int64]fsm.Verdict{start: fsm.Done, start + 99: fsm.Done, start + 100: fsm.NeedAdvance} {
		out, v := r.read(wall, "GET", "k")
		if v != want || (v == fsm.NeedAdvance) != (out == "") {
			t.Errorf("at +%d: verdict %d with reply %q, want verdict %d", wall-start, v, out, want)
		}
	}
	r.now += 100
	r.apply(&reply.Writer{})
	out, v := r.read(start, "GET", "k")
	if v != fsm.Done || out != "$-1\r\n" {
		t.Errorf("after the advance: %q, verdict %d", out, v)
	}
}

func TestForeignSlotIsNotOwned(t *testing.T) {
	r := newReplica(t, slot.Range{First: 0, Last: 99})
	set := opOf(t, "SET", "foo", "v") // slot 12182
	w := &reply.Writer{}
	r.m.Begin(1, r.now)
	if v := r.m.Do(&set, w); v != fsm.NotOwned || len(w.Buf) > 0 {
		t.Errorf("Do: verdict %d, reply %q", v, w.Buf)
	}
	r.m.End()
	if out, v := r.read(r.now, "GET", "foo"); v != fsm.NotOwned || out != "" {
		t.Errorf("Read: verdict %d, reply %q", v, out)
	}
	if _, v := r.m.WatchVersion([]byte("foo"), r.now); v != fsm.NotOwned {
		t.Errorf("WatchVersion: verdict %d", v)
	}
}

func TestKeysOfTwoSlotsAreRefused(t *testing.T) {
	r := newReplica(t)
	out := r.do("MSET", "a", "1", "b", "2")
	if !strings.HasPrefix(out, "-CROSSSLOT") {
		t.Errorf("got %q", out)
	}
	if got := r.m.Stats().Keys; got != 0 {
		t.Errorf("%d keys were written", got)
	}
}

func TestDueKeysAreRemovedInOrder(t *testing.T) {
	r := newReplica(t)
	gone := &recorder{}
	for _, k := range []string{"c", "a", "d", "b"} {
		r.do("SET", k, "v", "PXAT", "1700000000500")
	}
	r.do("SET", "first", "v", "PXAT", "1700000000400")
	r.do("SET", "later", "v", "PXAT", "1700000000501")
	if due, ok := r.m.NextDue(); !ok || due != start+400 {
		t.Errorf("NextDue: %d, %v", due, ok)
	}
	r.m.SetObserver(gone)
	r.now = start + 500
	r.apply(&reply.Writer{})
	// Slots: b 3300, c 7365, d 11298, a 15495.
	expect(t, strings.Join(gone.changed, " "), "first b c d a")
	if due, ok := r.m.NextDue(); !ok || due != start+501 {
		t.Errorf("NextDue: %d, %v", due, ok)
	}
	if s := r.m.Stats(); s.Keys != 1 || s.Volatile != 1 || s.Expired != 5 {
		t.Errorf("stats: %+v", s)
	}
}

func TestExpiryPerEntryIsBounded(t *testing.T) {
	r := newReplica(t)
	const extra = 10
	for i := range fsm.MaxExpiredPerEntry + extra {
		r.do("SET", "k"+strings.Repeat("x", i), "v", "PX", "10")
	}
	r.now += 10
	r.apply(&reply.Writer{})
	if got := r.m.Stats().Keys; got != extra {
		t.Errorf("%d keys left after one entry, want %d", got, extra)
	}
	expect(t, r.do("EXISTS", "k"), ":0\r\n")
	r.apply(&reply.Writer{})
	if s := r.m.Stats(); s.Keys != 0 || s.Memory != 0 {
		t.Errorf("after two more: %+v", s)
	}
	if due, ok := r.m.NextDue(); ok {
		t.Errorf("NextDue %d with nothing left", due)
	}
}

// recorder is an Observer that remembers.
type recorder struct {
	changed []string
	flushes int
}

func (o *recorder) Changed(key []byte) { o.changed = append(o.changed, string(key)) }
func (o *recorder) Flushed()           { o.flushes++ }

func TestObserverHearsEveryChange(t *testing.T) {
	r := newReplica(t)
	o := &recorder{}
	r.m.SetObserver(o)
	for _, step := range []struct {
		line string
		want string
	}{
		{"SET {t}a 1", "{t}a"},
		{"GET {t}a", ""},
		{"INCR {t}a", "{t}a"},
		{"MSET {t}a 1 {t}b 2", "{t}a {t}b"},
		{"SET {t}a 1 NX", ""},
		{"EXPIRE {t}a 100", "{t}a"},
		{"PERSIST {t}a", "{t}a"},
		{"PERSIST {t}a", ""},
		{"RENAME {t}a {t}c", "{t}c {t}a"},
		{"DEL {t}c {t}none", "{t}c"},
		{"APPEND {t}b x", "{t}b"},
		{"EXPIRE {t}b -1", "{t}b"},
		{"SETRANGE {t}n 2 x", "{t}n"},
	} {
		o.changed = nil
		r.do(strings.Fields(step.line)...)
		if got := strings.Join(o.changed, " "); got != step.want {
			t.Errorf("%s: heard %q, want %q", step.line, got, step.want)
		}
	}
	r.do("FLUSHALL")
	if o.flushes != 1 {
		t.Errorf("%d flushes", o.flushes)
	}
}

func TestOwnedSlots(t *testing.T) {
	want := []slot.Range{{First: 0, Last: 5}, {First: 7, Last: 7}, {First: 16000, Last: 16383}}
	got := newReplica(t, want...).m.Owned()
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
