package fsm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// readOneByOne does with Read what ReadAll does.
func readOneByOne(m *fsm.Machine, ops []entry.Op, wall int64, w *reply.Writer) (ends, notOwned []int, fresh bool) {
	for i := range ops {
		switch m.Read(&ops[i], wall, w) {
		case fsm.NeedAdvance:
			return ends, notOwned, false
		case fsm.NotOwned:
			notOwned = append(notOwned, i)
		}
		ends = append(ends, len(w.Buf))
	}
	return ends, notOwned, true
}

// TestReadAllIsReads compares runs of random reads of two machines, of keys that are there, absent, expired, about to expire and of
// other groups, with the same reads one by one.
func TestReadAllIsReads(t *testing.T) {
	low, high := newReplica(t, slot.Range{First: 0, Last: 8000}), newReplica(t, slot.Range{First: 4000, Last: 12000})
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		key := fmt.Sprint("key", i)
		if slot.Of([]byte(key)) > 12000 || i%5 == 0 {
			continue
		}
		r := low
		if slot.Of([]byte(key)) > 6000 {
			r = high
		}
		switch i % 4 {
		case 0:
			r.do("SET", key, strings.Repeat("v", rnd.IntN(300)), "PX", fmt.Sprint(1+rnd.IntN(2000)))
		case 1:
			r.do("SET", key, strings.Repeat("w", rnd.IntN(20_000)))
		default:
			r.do("SET", key, fmt.Sprint(i))
		}
	}
	lines := []string{
		"GET key%d", "GET key%d", "GET key%d", "STRLEN key%d", "EXISTS key%d", "TTL key%d", "TYPE key%d", "TOUCH key%d",
		"GETRANGE key%[1]d 0 3", "EXISTS key%[1]d key%[1]d", "MGET key%[1]d key%[1]d", "OBJECT ENCODING key%d", "DBSIZE", "GET {key%d}x", "SCAN 0",
	}
	early, moved := 0, 0
	someReads := func() (ops []entry.Op) {
		for range rnd.IntN(30) {
			line := lines[rnd.IntN(len(lines))]
			if strings.Contains(line, "%") {
				line = fmt.Sprintf(line, rnd.IntN(300))
			}
			ops = append(ops, opOf(t, strings.Fields(line)...))
			if rnd.IntN(10) == 0 {
				ops = append(ops, txOf(t, line))
			}
		}
		return ops
	}
	for range 500 {
		wall := low.now + int64(rnd.IntN(2))*int64(rnd.IntN(2000))
		var readings []fsm.Reading
		for range 1 + rnd.IntN(4) {
			r := low
			if rnd.IntN(2) == 0 {
				r = high
			}
			readings = append(readings, fsm.Reading{Machine: r.m, Ops: someReads(), Wall: wall, Out: &reply.Writer{Buf: []byte("x")}})
		}
		fsm.ReadAll(readings)
		for _, got := range readings {
			want := reply.Writer{Buf: []byte("x")}
			ends, notOwned, fresh := readOneByOne(got.Machine, got.Ops, wall, &want)
			if got.Stale == fresh || !bytes.Equal(got.Out.Buf, want.Buf) || !slices.Equal(got.Ends, ends) || !slices.Equal(got.NotOwned, notOwned) {
				t.Fatalf("together %v %v %v %.200q\none by one %v %v %v %.200q", !got.Stale, got.Ends, got.NotOwned, got.Out.Buf, fresh, ends, notOwned, want.Buf)
			}
			moved += len(notOwned)
			if got.Stale {
				early++
			}
		}
		// Every slot's lock is free again.
		for i := range 300 {
			if key := fmt.Sprint("key", i); slot.Of([]byte(key)) <= 8000 {
				low.do("SETNX", key+"{"+key+"}", "x")
			} else if slot.Of([]byte(key)) <= 12000 {
				high.do("SETNX", key+"{"+key+"}", "x")
			}
		}
	}
	if early < 20 || moved < 20 {
		t.Errorf("%d runs met a key that is due, %d ops another group's slot", early, moved)
	}
}

// TestHeldReplyIsBounded pins that a large reply lets go of the other reads' slots: they are fetched again.
func TestHeldReplyIsBounded(t *testing.T) {
	r := newReplica(t)
	var ops []entry.Op
	for i := range 10 {
		r.do("SET", fmt.Sprint(i), strings.Repeat(fmt.Sprint(i), 50_000))
		ops = append(ops, opOf(t, "GET", fmt.Sprint(i)))
	}
	var w, want reply.Writer
	fsm.ReadAll([]fsm.Reading{{Machine: r.m, Ops: ops, Wall: r.now, Out: &w}})
	readOneByOne(r.m, ops, r.now, &want)
	if !bytes.Equal(w.Buf, want.Buf) {
		t.Error("replies differ")
	}
}

// TestAheadIsAHint gives the machine right, wrong and no hints about the same ops, and expects the same state and replies.
func TestAheadIsAHint(t *testing.T) {
	var replies [3]string
	var digests [3]string
	for hint := range replies {
		r := newReplica(t, fewSlots)
		l := &workload{&generator{rand.New(rand.NewPCG(5, 6))}, r, tagsIn(fewSlots, 30)}
		var w reply.Writer
		for range 300 {
			var ops []entry.Op
			for range 1 + l.IntN(70) {
				ops = append(ops, l.op())
			}
			var list []*entry.Op
			switch hint {
			case 1:
				for i := range ops {
					list = append(list, &ops[i])
				}
			case 2:
				other := opOf(t, "SET", "elsewhere", "1")
				for range 50 {
					list = append(list, &other)
				}
			}
			r.index++
			r.now += int64(l.IntN(400))
			r.m.Begin(r.index, r.now)
			r.m.Ahead(list)
			for i := range ops {
				r.m.Do(&ops[i], &w)
			}
			r.m.End()
		}
		replies[hint], digests[hint] = string(w.Buf), digestOf(r.m)
	}
	for hint := range replies {
		if replies[hint] != replies[0] || digests[hint] != digests[0] {
			t.Errorf("hint %d changed replies or state", hint)
		}
	}
}
