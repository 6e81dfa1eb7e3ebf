package journal

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/jepsen/history"
)

// What writes no value of its own is found in the log all the same, as often as clients were told, when they can have sent it, and in an
// order that agrees with time. Where the log is whole, nothing is in it that nobody sent.
func TestCommandsThatLookAlike(t *testing.T) {
	set := func(id, call int64, value string) history.Op { return applied(id, call, "set", "{b}", value) }
	del := func(id, call int64) history.Op { return applied(id, call, "del", "{b}") }
	expire := func(id, call int64, ms string) history.Op { return applied(id, call, "expire", "{b}", ms) }
	persist := func(id, call int64) history.Op { return applied(id, call, "persist", "{b}") }
	release := func(id, call int64) history.Op { return applied(id, call, "release", "{b}", "1-1") }
	acquire := applied(1, 1, "acquire", "{b}", "1-1", "9000")
	taken := "EXEC SET {b}lock 1-1 NX PX 9000; INCR {b}fence"
	for name, c := range map[string]struct {
		log [][]string
		ops []history.Op
	}{
		"a key deleted":                          {[][]string{{"SET {b} 1-1"}, {"DEL {b}"}, {"SET {b} 1-2"}}, []history.Op{set(1, 1, "1-1"), del(2, 5), set(3, 9, "1-2")}},
		"deadlines":                              {[][]string{{"SET {b} 1-1"}, {"PEXPIRE {b} 9000"}, {"PERSIST {b}"}}, []history.Op{set(1, 1, "1-1"), expire(2, 5, "9000"), persist(3, 9)}},
		"a lock given back":                      {[][]string{{taken}, {"EXEC DEL {b}lock"}}, []history.Op{acquire, release(2, 5)}},
		"two deleted at once":                    {[][]string{{"DEL {b}", "DEL {b}"}}, []history.Op{del(1, 5), del(2, 5)}},
		"nobody knows which one":                 {[][]string{{"DEL {b}"}}, []history.Op{lost(del(1, 5)), lost(del(2, 5))}},
		"an unknown one, of which nothing came":  {[][]string{{"SET {b} 1-1"}}, []history.Op{set(1, 1, "1-1"), lost(del(2, 5))}},
		"a refused one":                          {[][]string{{"SET {b} 1-1"}}, []history.Op{set(1, 1, "1-1"), failed(del(2, 5))}},
		"the harness's own":                      {[][]string{{"SET nemesis:3 1", "SET fill:2-7 xxx"}}, []history.Op{lost(del(2, 5))}},
		"lost: a key deleted":                    {[][]string{{"SET {b} 1-1"}}, []history.Op{set(1, 1, "1-1"), del(2, 5)}},
		"lost: one of two":                       {[][]string{{"DEL {b}"}}, []history.Op{del(1, 5), del(2, 5)}},
		"lost: another deadline":                 {[][]string{{"SET {b} 1-1"}, {"PEXPIRE {b} 9001"}}, []history.Op{set(1, 1, "1-1"), expire(2, 5, "9000"), lost(expire(3, 6, "9001"))}},
		"lost: a deadline kept":                  {[][]string{{"SET {b} 1-1"}}, []history.Op{set(1, 1, "1-1"), persist(2, 5)}},
		"lost: a lock given back":                {[][]string{{taken}}, []history.Op{acquire, release(2, 5)}},
		"lost: refused in the log":               {[][]string{{"EXEC DEL {a}lock"}}, []history.Op{applied(1, 1, "release", "{a}", "1-1")}}, // of another group's slot
		"lost: what is there is an earlier one":  {[][]string{{"DEL {b}"}, {"SET {b} 1-1"}}, []history.Op{lost(del(1, 1)), set(2, 5, "1-1"), del(3, 9)}},
		"unsent: a value":                        {[][]string{{"SET {b} 1-1"}, {"SET {b} 1-2"}}, []history.Op{set(1, 1, "1-1")}},
		"unsent: a value of another object":      {[][]string{{"SET {f} 1-1"}}, []history.Op{lost(set(1, 1, "1-1"))}},
		"unsent: a key deleted":                  {[][]string{{"SET {b} 1-1"}, {"DEL {b}"}}, []history.Op{set(1, 1, "1-1")}},
		"unsent: deleted twice":                  {[][]string{{"DEL {b}"}, {"DEL {b}"}}, []history.Op{del(1, 1)}},
		"unsent: one that was refused":           {[][]string{{"DEL {b}"}}, []history.Op{failed(del(1, 1))}},
		"unsent: a deadline":                     {[][]string{{"SET {b} 1-1"}, {"PEXPIRE {b} 5"}}, []history.Op{set(1, 1, "1-1"), lost(expire(2, 5, "6"))}},
		"unsent: not in that transaction":        {[][]string{{"EXEC DEL {b}lock; DEL {b}fence"}}, []history.Op{lost(release(1, 1))}},
		"unsent: not yet":                        {[][]string{{"DEL {b}"}, {"SET {b} 1-1"}}, []history.Op{set(1, 1, "1-1"), lost(del(2, 5))}},
		"unsent: a command that no workload has": {[][]string{{"FLUSHALL"}}, []history.Op{set(1, 1, "1-1")}},
		"order: deleted before it was set":       {[][]string{{"SET {b} 1-1"}, {"DEL {b}"}}, []history.Op{del(1, 1), set(2, 5, "1-1")}},
		"order: two kinds of commands":           {[][]string{{"PERSIST {b}"}, {"DEL {b}"}}, []history.Op{del(1, 1), persist(2, 5)}},
	} {
		s := replayed(t, told(t, c.log...))
		bad := map[string]bool{"lost": !s.Acknowledged(c.ops).OK, "unsent": !s.Issued(c.ops).OK, "order": !s.InOrder(c.ops).OK}
		want, _, _ := strings.Cut(name, ":")
		if _, breaks := bad[want]; !breaks {
			want = "nothing"
		}
		if want != "nothing" && !bad[want] || want == "nothing" && (bad["lost"] || bad["unsent"] || bad["order"]) {
			t.Errorf("%s: %v %v %v", name, s.Acknowledged(c.ops), s.Issued(c.ops), s.InOrder(c.ops))
		}
	}
}

// Behind what returned before it was called, an acknowledged write must be in a log that was cut, too.
func TestACutLogHoldsWhatCameLate(t *testing.T) {
	j := told(t, []string{"SET {b} 1-1"}, []string{"SET {b} 1-2"}, []string{"SET {f} 1-3"})
	j.Spans[1].First, j.Entries = 2, append(j.Entries[:2:2], j.Entries[3:]...)
	s := replayed(t, j)
	ops := []history.Op{applied(1, 1, "set", "{b}", "1-1"), applied(2, 5, "set", "{b}", "1-2"), applied(3, 9, "set", "{f}", "1-3")}
	if r := s.Acknowledged(ops); s.Whole || !r.OK {
		t.Errorf("whole %v, %+v", s.Whole, r)
	}
	for name, op := range map[string]history.Op{
		"after what is there": applied(4, 13, "set", "{b}", "1-4"), "of an object that is not": applied(4, 13, "set", "{b}z", "1-4"),
	} {
		if r := s.Acknowledged(append(ops, op)); r.OK {
			t.Errorf("a write was lost, %s: %+v", name, r)
		}
	}
	early := applied(4, 4, "set", "{b}", "1-4")
	if r := s.Acknowledged(append(ops, early)); !r.OK {
		t.Errorf("it may be older than what is left: %+v", r)
	}
	if r := s.Issued(ops[:2]); r.OK {
		t.Errorf("nobody sent 1-3: %+v", r)
	}
}
