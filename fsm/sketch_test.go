package fsm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// TestSketchSparesWhatTheLeaderServed: only the old leader has served reads; the new one evicts half of all keys.
func TestSketchSparesWhatTheLeaderServed(t *testing.T) {
	const keys, hot = 2000, 100
	for _, policy := range []entry.Policy{entry.AllKeysLRU, entry.AllKeysLFU} {
		leader, next := newReplica(t), newReplica(t)
		for _, r := range []*replica{leader, next} {
			r.apply(&reply.Writer{}, entry.Limit(entry.Limits{Policy: policy, Samples: 10}))
			for i := range keys {
				r.do("SET", fmt.Sprintf("key%d", i), "v")
			}
			r.now += 30_000
			r.apply(&reply.Writer{})
		}
		before := digestOf(next.m)
		for range 4 {
			for i := range hot * 100 {
				leader.read(leader.now, "GET", fmt.Sprintf("key%d", i%hot))
			}
			sketch := leader.m.Sketch()
			if len(sketch) > 64<<10 || len(sketch) < 100 {
				t.Fatalf("sketch of %d bytes", len(sketch))
			}
			if err := next.m.MergeSketch(sketch); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, digestOf(next.m), before)
		evict(next, policy, next.m.Memory()/2)
		kept := 0
		for i := range hot {
			if out, _ := next.read(0, "EXISTS", fmt.Sprintf("key%d", i)); out == ":1\r\n" {
				kept++
			}
		}
		if kept < hot*9/10 {
			t.Errorf("%v: of %d keys that the old leader served %d survived", policy, hot, kept)
		}
	}
}

func TestSketchIsBoundedAndChecked(t *testing.T) {
	r := newReplica(t)
	if s := r.m.Sketch(); s != nil {
		t.Errorf("%d bytes without a use", len(s))
	}
	long := strings.Repeat("k", 60)
	r.do("SET", long, "v")
	r.do("SET", long+"k", "v")
	for range 100_000 {
		r.read(r.now, "GET", long)
	}
	full := r.m.Sketch()
	if len(full) != 1+1000*(5+60) {
		t.Errorf("a full sketch has %d bytes", len(full))
	}
	for range 1000 {
		r.read(r.now, "GET", long+"k")
	}
	if s := r.m.Sketch(); s != nil {
		t.Errorf("a key over the limit was noted: %d bytes", len(s))
	}
	for _, bad := range [][]byte{nil, {0}, {99}, full[:len(full)-1], full[:3], append(bytes.Clone(full), 1)} {
		if err := r.m.MergeSketch(bad); err == nil {
			t.Errorf("a sketch of %d bytes was taken", len(bad))
		}
	}
	r.do("DEL", long)
	if err := r.m.MergeSketch(full); err != nil {
		t.Error(err)
	}
}

func FuzzMergeSketch(f *testing.F) {
	r := newReplica(f)
	r.do("SET", "k", "v")
	for range 1000 {
		r.read(r.now, "GET", "k")
	}
	f.Add(r.m.Sketch())
	f.Fuzz(func(t *testing.T, b []byte) {
		m := fsm.New(fsm.Genesis{Slots: allSlots})
		_ = m.MergeSketch(b) // must not panic
	})
}
