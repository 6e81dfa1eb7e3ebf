package fsm_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// scanStep runs one SCAN and returns the next cursor and the keys.
func (r *replica) scanStep(cursor uint64, options ...string) (next uint64, keys []string) {
	r.t.Helper()
	out, _ := r.read(r.now, append([]string{"SCAN", strconv.FormatUint(cursor, 10)}, options...)...)
	lines := strings.Split(out, "\r\n")
	next, err := strconv.ParseUint(lines[2], 10, 64)
	if err != nil {
		r.t.Fatalf("scan answers %q", out)
	}
	for i := 5; i < len(lines); i += 2 {
		keys = append(keys, lines[i])
	}
	return next, keys
}

func TestScanFindsEveryKeyThatStays(t *testing.T) {
	r := newReplica(t)
	want := map[string]bool{}
	for i := range 600 {
		key := fmt.Sprintf("{t}%d", i)
		if i%2 == 0 {
			key = fmt.Sprintf("stay%d", i)
		}
		r.do("SET", key, "v")
		want[key] = true
	}
	g := rand.New(rand.NewPCG(4, 4))
	cursor, steps := uint64(0), 0
	for cursor != 0 || steps == 0 {
		var keys []string
		cursor, keys = r.scanStep(cursor, "COUNT", "7")
		if cursor >= 1<<53 {
			t.Fatalf("cursor %d is not exact as a float", cursor)
		}
		for _, k := range keys {
			delete(want, k)
		}
		// Others come and go.
		for range 5 {
			r.do("SET", fmt.Sprintf("{t}passing%d", g.IntN(3000)), "v")
			r.do("DEL", fmt.Sprintf("{t}passing%d", g.IntN(3000)))
		}
		if steps++; steps > 5000 {
			t.Fatal("the scan does not end")
		}
	}
	if len(want) > 0 {
		t.Errorf("%d keys were missed in %d steps", len(want), steps)
	}
	if steps < 60 {
		t.Errorf("600 keys in %d steps of 7", steps)
	}
}

func TestScanStopsWhereAnotherGroupServes(t *testing.T) {
	r := newReplica(t, slot.Range{First: 3300, Last: 3310}, slot.Range{First: 7629, Last: 7629})
	r.do("SET", "b", "v")
	r.do("SET", "k", "v")
	next, keys := r.scanStep(fsm.ScanStart(3300), "COUNT", "100")
	if n, ok := fsm.CursorSlot(next); !ok || n != 3311 || len(keys) != 1 {
		t.Errorf("keys %q, next slot %d", keys, n)
	}
	if again, keys := r.scanStep(next); again != next || len(keys) != 0 {
		t.Errorf("a slot of another group: %d, %q", again, keys)
	}
	next, keys = r.scanStep(fsm.ScanStart(7629))
	if n, _ := fsm.CursorSlot(next); n != 7630 || len(keys) != 1 {
		t.Errorf("keys %q, next slot %d", keys, n)
	}
}

func TestListingsLeaveOutExpiredKeys(t *testing.T) {
	r := newReplica(t)
	w := &reply.Writer{}
	var ops []entry.Op
	for i := range fsm.MaxExpiredPerEntry * 3 {
		ops = append(ops, opOf(t, "SET", fmt.Sprintf("{k}%d", i), "v", "PX", "10"))
	}
	r.apply(w, ops...)
	r.do("SET", "{k}alive", "v")
	r.now += 10
	r.apply(w)
	if s := r.m.Stats(); s.Keys != fsm.MaxExpiredPerEntry*2+1 {
		t.Fatalf("%d keys are held", s.Keys)
	}
	_, keys := r.scanStep(0, "COUNT", "100000")
	expect(t, strings.Join(keys, " "), "{k}alive")
	for _, line := range []string{"KEYS *", "CLUSTER GETKEYSINSLOT 7629 100"} {
		out, _ := r.read(r.now, strings.Fields(line)...)
		expect(t, out, "*1\r\n$8\r\n{k}alive\r\n")
	}
}

func TestSlotStats(t *testing.T) {
	r := newReplica(t, slot.Range{First: 3300, Last: 3301})
	r.do("SET", "b", "value")
	got := fmt.Sprint(r.m.SlotStats())
	expect(t, got, "[{3300 1 38} {3301 0 0}]")
}
