package journal

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup/wal"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// founded are placement's first entries: a cluster of one node whose groups own half of the slots each.
func founded(t *testing.T) (out []Entry) {
	t.Helper()
	id := topology.NodeID(strings.Repeat("a", 40))
	node := topology.Node{ID: id, Client: "h:1", Peer: "h:2", Weight: 100, Voter: true}
	group := func(id2 slot.GroupID, first, last uint16) topology.Group {
		return topology.Group{ID: id2, HashSeed: uint64(id2), Genesis: []slot.Range{{First: first, Last: last}}, Founders: []topology.NodeID{id}, Members: []topology.NodeID{id}}
	}
	for i, c := range []placement.Change{
		placement.Init{Cluster: strings.Repeat("c", 40), Nodes: []topology.Node{node}, Groups: 2, Replicas: 1, Settings: topology.DefaultSettings()},
		placement.CreateGroups{Groups: []topology.Group{group(1, 0, 8191), group(2, 8192, 16383)}},
	} {
		data, err := placement.Command{Change: c}.Encode()
		must(t, err)
		out = append(out, Entry{Index: uint64(i + 1), Term: 1, Data: data, Nodes: []int{0}})
	}
	return out
}

// op is a command in words, such as "SET {a} 1-1 PX 100"; "EXEC a; b" is a transaction.
func op(t *testing.T, text string) entry.Op {
	t.Helper()
	if rest, tx := strings.CutPrefix(text, "EXEC "); tx {
		out := entry.Op{Cmd: command.Exec, Tx: &entry.Tx{}}
		for part := range strings.SplitSeq(rest, "; ") {
			out.Tx.Ops = append(out.Tx.Ops, op(t, part))
		}
		return out
	}
	f := strings.Fields(text)
	spec := command.Lookup([]byte(strings.ToLower(f[0])))
	if spec == nil {
		t.Fatalf("%q is no command", f[0])
	}
	out := entry.Op{Cmd: spec.ID}
	for _, arg := range f[1:] {
		out.Args = append(out.Args, []byte(arg))
	}
	return out
}

// told is a journal of one node: placement's log, and a log of group 1 whose entry i+1 holds the commands of entries[i], a second
// after the one before.
func told(t *testing.T, entries ...[]string) *Journal {
	t.Helper()
	j := &Journal{Nodes: []string{"node1"}, Entries: founded(t), Spans: []Span{{0, 0, 1, 2}, {0, 1, 1, uint64(len(entries))}}}
	for i, commands := range entries {
		e := entry.Entry{Now: int64(i+1) * 1000}
		for _, c := range commands {
			e.Ops = append(e.Ops, op(t, c))
		}
		data, err := entry.Encode(nil, &e)
		must(t, err)
		j.Entries = append(j.Entries, Entry{Group: 1, Index: uint64(i + 1), Term: 1, Data: data, Nodes: []int{0}})
	}
	return j
}

func replayed(t *testing.T, j *Journal) *Story {
	t.Helper()
	s, err := j.Replay(Committed{1: 1000})
	must(t, err)
	return s
}

func TestWhatIsReadBackIsWhatWasLogged(t *testing.T) {
	dirs := []string{filepath.Join(t.TempDir(), "node1"), filepath.Join(t.TempDir(), "node2"), filepath.Join(t.TempDir(), "never")}
	for i, dir := range dirs[:2] {
		l, err := wal.Open(filepath.Join(dir, "log"), wal.Options{SegmentBytes: 1 << 20, Fatal: func(err error) { t.Error(err) }})
		must(t, err)
		for index := uint64(1); index <= 3; index++ {
			must(t, l.Group(7).StoreLog(&raft.Log{Index: index, Term: 2, Data: []byte{byte(index)}}))
		}
		if i == 1 {
			must(t, l.Group(7).StoreLog(&raft.Log{Index: 4, Term: 3, Type: raft.LogNoop}))
		}
		must(t, l.Close())
	}
	path := filepath.Join(t.TempDir(), "journal")
	for range 2 { // a second time, too
		j, err := Read(dirs)
		must(t, err)
		must(t, j.Save(path))
		again, err := Load(path)
		must(t, err)
		for _, got := range []*Journal{j, again} {
			if len(got.Entries) != 4 || !reflect.DeepEqual(got.Entries[2].Nodes, []int{0, 1}) || !bytes.Equal(got.Entries[2].Data, []byte{3}) ||
				!reflect.DeepEqual(got.Entries[3].Nodes, []int{1}) || got.Entries[3].Type != raft.LogNoop {
				t.Fatalf("entries are %+v", got.Entries)
			}
			if !reflect.DeepEqual(got.Spans, []Span{{0, 7, 1, 3}, {1, 7, 1, 4}}) {
				t.Fatalf("spans are %+v", got.Spans)
			}
		}
	}
}

func TestMatching(t *testing.T) {
	e := func(index, term uint64, data string, nodes ...int) Entry {
		return Entry{Group: 1, Index: index, Term: term, Data: []byte(data), Nodes: nodes}
	}
	two := func(first, second uint64) []Span { return []Span{{0, 1, 1, first}, {1, 1, 1, second}} }
	for name, c := range map[string]struct {
		spans     []Span
		entries   []Entry
		committed uint64
	}{
		"logs are equal":                           {two(2, 2), []Entry{e(1, 1, "a", 0, 1), e(2, 1, "b", 0, 1)}, 2},
		"one is behind":                            {two(2, 1), []Entry{e(1, 1, "a", 0, 1), e(2, 1, "b", 0)}, 1},
		"ends differ, not committed":               {two(2, 2), []Entry{e(1, 1, "a", 0, 1), e(2, 1, "b", 0), e(2, 2, "c", 1)}, 1},
		"violation: committed entries differ":      {two(2, 2), []Entry{e(1, 1, "a", 0, 1), e(2, 1, "b", 0), e(2, 2, "c", 1)}, 2},
		"violation: one term, two entries":         {two(1, 1), []Entry{e(1, 1, "a", 0), e(1, 1, "b", 1)}, 0},
		"violation: equal again after they differ": {two(2, 2), []Entry{e(1, 1, "a", 0), e(1, 2, "b", 1), e(2, 3, "c", 0, 1)}, 0},
		"violation: a term falls":                  {two(2, 0)[:1], []Entry{e(1, 2, "a", 0), e(2, 1, "b", 0)}, 0},
		"violation: a hole":                        {two(3, 0)[:1], []Entry{e(1, 1, "a", 0), e(3, 1, "b", 0)}, 0},
		"violation: an end is missing":             {two(2, 0)[:1], []Entry{e(1, 1, "a", 0)}, 0},
		"violation: less than was applied":         {two(2, 1), []Entry{e(1, 1, "a", 0, 1), e(2, 1, "b", 0)}, 2},
		"violation: no logs, no proof":             {},
	} {
		j := &Journal{Nodes: []string{"node1", "node2"}, Spans: c.spans, Entries: c.entries}
		if r := j.Matching(Committed{1: c.committed}); r.OK == strings.HasPrefix(name, "violation") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// applied is an acknowledged operation, called at call ms and returned a ms later.
func applied(id, call int64, kind, key string, args ...string) history.Op {
	at := call * int64(time.Millisecond)
	return history.Op{ID: id, Kind: kind, Key: key, Args: args, Call: at, Return: at + int64(time.Millisecond), Outcome: history.Applied}
}

func lost(op history.Op) history.Op {
	op.Outcome = history.Unknown
	return op
}

func failed(op history.Op) history.Op {
	op.Outcome = history.Failed
	return op
}

// {a} is in slot 15495, {b} in 3300, {f} in 3168: b and f belong to group 1.
func TestAcknowledgedWrites(t *testing.T) {
	set := applied(1, 1, "set", "{b}", "1-1")
	for name, c := range map[string]struct {
		log [][]string
		ops []history.Op
	}{
		"each once":                             {[][]string{{"SET {b} 1-1", "APPEND {b}x 2-1."}, {"INCRBY {f} 5000001"}}, []history.Op{set, applied(2, 2, "txn", "{b}", "read x", "append x 2-1"), applied(3, 3, "incr", "{f}", "5000001")}},
		"a refused one is not there":            {[][]string{{"SET {f} 9-9"}}, []history.Op{failed(set)}},
		"a refused one did nothing in its log":  {[][]string{{"EXEC SET {a} 1-1"}}, []history.Op{failed(set)}}, // of another group's slot
		"violation: lost":                       {[][]string{{"SET {f} 9-9"}}, []history.Op{set}},
		"violation: applied twice":              {[][]string{{"SET {b} 1-1"}, {"SET {b} 1-1"}}, []history.Op{set}},
		"violation: twice in one entry":         {[][]string{{"SET {b} 1-1", "SET {b} 1-1"}}, []history.Op{set}},
		"violation: refused and yet done":       {[][]string{{"SET {b} 1-1"}}, []history.Op{failed(set)}},
		"violation: acknowledged, not executed": {[][]string{{"SET {a} 1-1"}}, []history.Op{set}},
	} {
		if r := replayed(t, told(t, c.log...)).Acknowledged(c.ops); r.OK == strings.HasPrefix(name, "violation") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestWhatACutLogCannotTell: cas × snapshot-behind, seed 14. A transaction whose watched key had changed is in the log, and did nothing
// there; with the beginning of the log gone, nobody can tell.
func TestWhatACutLogCannotTell(t *testing.T) {
	s := &Story{Of: map[string][]Position{"{b} 1-1": {{Group: 1, Index: 9, Applied: true}}}}
	cas := failed(applied(1, 1, "cas", "{b}", "0-9", "1-1"))
	for text, ok := range map[string]bool{
		"EXEC returned null: a watched key changed":                true,
		"OOM command not allowed when used memory > 'maxmemory'.":  true,
		"CLUSTERDOWN the slot has no leader":                       false,
		"127.0.0.1:7001: not sent: connection refused":             false,
		"MOVED 3300 127.0.0.1:7001":                                false,
		"EXECABORT Transaction discarded because of earlier error": false,
	} {
		cas.Error = text
		if r := s.Acknowledged([]history.Op{cas}); r.OK != ok {
			t.Errorf("%s: %+v", text, r)
		}
	}
	whole := &Story{Whole: true, Of: s.Of}
	cas.Error = "EXEC returned null: a watched key changed"
	if r := whole.Acknowledged([]history.Op{cas}); r.OK {
		t.Error("executed again, the log says that it took effect")
	}
}

func TestTheLogsOrderAgreesWithTime(t *testing.T) {
	s := replayed(t, told(t, []string{"SET {b} 1-1"}, []string{"SET {f} 1-2"}))
	first, second := applied(1, 1, "set", "{b}", "1-1"), applied(2, 5, "set", "{f}", "1-2")
	if r := s.InOrder([]history.Op{first, second}); !r.OK {
		t.Error(r)
	}
	first.Call, first.Return, second.Call, second.Return = second.Call, second.Return, first.Call, first.Return
	if r := s.InOrder([]history.Op{first, second}); r.OK {
		t.Errorf("a write that returned before another was called is behind it in the log: %+v", r)
	}
}

func TestUnknownOutcomesAreSettled(t *testing.T) {
	j := told(t, []string{"SET {b} 1-1"}, []string{"SET {b} 2-1"}, []string{"SET {b} 1-2"})
	ops := []history.Op{
		applied(1, 1, "set", "{b}", "1-1"), lost(applied(2, 1, "set", "{b}", "2-1")), applied(3, 50, "set", "{b}", "1-2"),
		lost(applied(4, 60, "set", "{b}", "2-2")), lost(applied(5, 70, "del", "{b}")),
	}
	p := replayed(t, j).Patch(ops)
	if p.Found != 1 || p.Dropped != 2 {
		t.Errorf("%+v", p)
	}
	if got := p.Ops[1]; got.Outcome != history.Unknown || got.Until != ops[2].Return {
		t.Errorf("what is in the log happened before what is behind it was acknowledged: %+v", got)
	}
	for i, want := range []int{1, 2, 3, 0, 0} {
		if p.Ops[i].Place != want {
			t.Errorf("operation %d has place %d, want %d", i, p.Ops[i].Place, want)
		}
	}
	if p.Ops[3].Outcome != history.Failed || p.Ops[4].Outcome != history.Failed {
		t.Errorf("what is in no log did not happen: %+v", p.Ops[3:])
	}
	deleted := told(t, []string{"SET {b} 1-1"}, []string{"DEL {b}"})
	two := []history.Op{applied(1, 1, "set", "{b}", "1-1"), lost(applied(2, 5, "del", "{b}")), lost(applied(3, 6, "del", "{b}"))}
	if p := replayed(t, deleted).Patch(two); p.Ops[1].Outcome != history.Unknown || p.Ops[1].Until != 0 || p.Ops[2].Outcome != history.Unknown {
		t.Errorf("which of two took effect can't be told: %+v", p.Ops)
	}
	j.Spans[1].First, j.Entries = 2, append(j.Entries[:2:2], j.Entries[3:]...)
	if p := replayed(t, j).Patch(ops); p.Found != 1 || p.Dropped != 0 {
		t.Errorf("of a log that was cut: %+v", p)
	}
}

// evicting is a log at the end of which two keys are evicted that were chosen before one of them, {f}, was written again.
func evicting(t *testing.T) *Journal {
	evict := func(key string, version uint64) entry.Op {
		return entry.Evict([]entry.Victim{{Key: []byte(key), Version: version}})
	}
	j := told(t, []string{"SET {b} 1-1 PX 1500", "SET {b}y 1-2"}, []string{"SET {f} 1-3"}, []string{"SET {f} 1-4"}, nil)
	data, err := entry.Encode(nil, &entry.Entry{Now: 4000, Ops: []entry.Op{evict("{b}y", 2), evict("{f}", 3)}})
	must(t, err)
	j.Entries[len(j.Entries)-1].Data = data
	return j
}

func TestWhatVanishesIsTold(t *testing.T) {
	s := replayed(t, evicting(t))
	want := []Vanish{
		{Key: "{b}", Value: "1-1", At: Position{Group: 1, Index: 3, Applied: true}},
		{Key: "{b}y", Value: "1-2", At: Position{Group: 1, Index: 4, Applied: true}, Evicted: true},
	}
	if !reflect.DeepEqual(s.Vanished, want) {
		t.Fatalf("vanished %+v, want %+v", s.Vanished, want)
	}
	if r := s.Evictions(); !r.OK || s.Victims != 2 {
		t.Errorf("%d victims, %+v", s.Victims, r)
	}
	ops := []history.Op{applied(1, 1, "set", "{b}", "1-1"), applied(2, 50, "set", "{f}", "1-4")}
	p := s.Patch(ops)
	if v := p.Ops[2]; p.Vanished != 2 || v.Kind != "vanish" || v.Key != "{b}" || v.Call != ops[1].Call || v.Return != ops[1].Return || v.Args[1] != "expired" {
		t.Errorf("patched: %+v", p.Ops)
	}
	if p.Ops[0].Place != 1 || p.Ops[2].Place != 2 {
		t.Errorf("what expired did so in its place: %+v", p.Ops)
	}
}

// slow-reader × eviction-huge, seed 7: what was evicted were values of 64 KB, which the history has by their beginning.
func TestALongValueThatVanishesIsToldByItsBeginning(t *testing.T) {
	for text, want := range map[string]string{"7-12:7-12,7-12,:13": "7-12", "7-12": "7-12", "7-12,7-13,": "7-12,7-13,", "x:y": "x:y", "": ""} {
		if got := asSent(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestDigests(t *testing.T) {
	s := replayed(t, told(t, []string{"SET {b} 1-1"}))
	good := client.Digest{Group: 1, Index: 1, Sum: s.Digests[1]}
	if r := s.SameDigests([]client.Digest{good}); !r.OK || len(good.Sum) != 32 {
		t.Errorf("%+v, %q", r, good.Sum)
	}
	other := replayed(t, told(t, []string{"SET {b} 1-2"}))
	if r := other.SameDigests([]client.Digest{good}); r.OK {
		t.Error("other contents have the same digest")
	}
	s.Whole = false
	bad := client.Digest{Group: 1, Index: 1, Node: good.Node, Sum: strings.Repeat("0", 32)}
	if r := s.SameDigests([]client.Digest{good, bad}); r.OK {
		t.Error("where logs are cut, two digests at one index are not compared")
	}
}

func TestTwoOwners(t *testing.T) {
	j := told(t, []string{"SET {b} 1-1"})
	// A map that gives group 2 all slots is refused by placement, so nothing comes of it; but a group that executes what
	// another one owns is found, here by a group of the wrong birth.
	wrong := founded(t)
	j.Entries[1] = wrong[1]
	c, err := placement.Decode(wrong[1].Data)
	must(t, err)
	groups := c.Change.(placement.CreateGroups)
	for i := range groups.Groups {
		groups.Groups[i].Genesis = []slot.Range{{First: uint16(8192 * (1 - i)), Last: uint16(8192*(1-i) + 8191)}}
	}
	must(t, err)
	j.Entries[1].Data, err = placement.Command{Change: groups}.Encode()
	must(t, err)
	s := replayed(t, j)
	if r := s.Acknowledged([]history.Op{applied(1, 1, "set", "{b}", "1-1")}); r.OK {
		t.Errorf("group 1 does not own the slot, and yet: %+v", r)
	}
	s.owners[slot.Of([]byte("{f}"))] = 2
	tell := &teller{story: s, group: 1, kept: map[string]value{}}
	if err := tell.touched(&entry.Op{Cmd: command.Set, Args: [][]byte{[]byte("{f}"), []byte("x")}}); err == nil {
		t.Error("two groups executed commands on one slot and nobody noticed")
	}
}
