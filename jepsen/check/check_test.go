package check

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/placement/topology"
)

// parse reads a history from lines such as "1-4 set x = OK", "2- set x" (outcome unknown) and "2-3! set x" (failed): call and
// return in ms, kind and arguments; what stands after "=" are replies, "nil" is null. Steps of transactions are written
// append:x:1 and read:x.
func parse(t *testing.T, text string) (ops []history.Op) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(text)) {
		op := history.Op{ID: int64(len(ops) + 1), Process: len(ops), Key: "k", Outcome: history.Applied}
		what, replies, _ := strings.Cut(strings.TrimSpace(line), " = ")
		f := strings.Fields(what)
		times, failed := strings.CutSuffix(f[0], "!")
		call, end, _ := strings.Cut(times, "-")
		fmt.Sscan(call, &op.Call)
		op.Return = op.Call
		if _, err := fmt.Sscan(end, &op.Return); err != nil {
			op.Outcome = history.Unknown
		} else if failed {
			op.Outcome = history.Failed
		}
		op.Call, op.Return = op.Call*int64(time.Millisecond), op.Return*int64(time.Millisecond)
		op.Kind = f[1]
		for _, a := range f[2:] {
			op.Args = append(op.Args, strings.ReplaceAll(a, ":", " "))
		}
		for r := range strings.FieldsSeq(replies) {
			if r == "nil" {
				op.Reply = append(op.Reply, nil)
			} else {
				op.Reply = append(op.Reply, &r)
			}
		}
		ops = append(ops, op)
	}
	return ops
}

// cases are histories of one workload; those whose name starts with "violation" must be caught.
type cases map[string]string

func (c cases) run(t *testing.T, rules Rules) {
	for name, text := range c {
		t.Run(name, func(t *testing.T) {
			caught := ""
			for _, r := range Judge(rules, parse(t, text), Limits{Timeout: 10 * time.Second}) {
				if !r.OK {
					caught += r.Checker + ": " + r.Text + "\n"
				}
			}
			if want := strings.HasPrefix(name, "violation"); want != (caught != "") {
				t.Errorf("want a violation: %v; found: %q", want, caught)
			}
		})
	}
}

func linear(m Model) Rules { return Rules{Model: &m} }

func TestRegister(t *testing.T) {
	cases{
		"reads see the newest write":                     "1-2 set a = OK\n3-4 get = a\n5-6 set b = OK\n7-8 get = b",
		"a read beside a write sees either":              "1-9 set a = OK\n2-3 get = nil\n4-5 get = a",
		"an unknown write may be seen late":              "1- set a\n2-3 get = nil\n4-5 get = nil\n90-91 get = a",
		"an unknown write may never happen":              "1- set a\n2-3 get = nil\n90-91 final = nil",
		"a failed write is not seen":                     "1-2! set a\n3-4 get = nil",
		"an unknown delete":                              "1-2 set a = OK\n3- del\n4-5 get = a\n6-7 get = nil",
		"getset returns what was there":                  "1-2 set a = OK\n3-4 getset b = a\n5-6 get = b",
		"violation: a stale read":                        "1-2 set a = OK\n3-4 set b = OK\n5-6 get = a",
		"violation: a lost write":                        "1-2 set a = OK\n3-4 final = nil",
		"violation: a failed write is seen":              "1-2! set a\n3-4 get = a",
		"violation: two reads go back in time":           "1-9 set a = OK\n2-3 get = a\n4-5 get = nil",
		"violation: a value from nowhere":                "1-2 get = ghost",
		"violation: an unknown write is seen, then gone": "1- set a\n2-3 get = a\n4-5 get = nil",
		"violation: getset returns what was before":      "1-2 set a = OK\n3-4 set b = OK\n5-6 getset c = a",
		"violation: a delete found nothing":              "1-2 set a = OK\n3-4 del = 0",
		"violation: a key without time to live vanishes": "1-2 set a = OK\n5000-5001 get = nil",
	}.run(t, linear(Registers{}.Model()))
}

func TestCompareAndSet(t *testing.T) {
	cases{
		"a swap of what was there":          "1-2 set a = OK\n3-4 cas a b\n5-6 get = b",
		"an unknown swap happens":           "1-2 set a = OK\n3- cas a b\n5-6 get = a\n7-8 get = b",
		"an unknown swap does not happen":   "1-2 set a = OK\n3- cas a b\n4-5 set c = OK\n6-7 get = c",
		"violation: two swaps of one value": "1-2 set a = OK\n3-9 cas a b\n4-9 cas a c",
		"violation: a lost update":          "1-2 set a = OK\n3-4 set b = OK\n5-6 cas a c",
	}.run(t, linear(Registers{}.Model()))
}

func TestTimeToLive(t *testing.T) {
	cases{
		"gone at its deadline":                           "1-2 set a 100 = OK\n50-51 get = a\n102-103 get = nil",
		"a little early and late, within the skew":       "1-2 set a 100 = OK\n93-94 get = nil\n200-201 set b 100 = OK\n309-310 get = b",
		"an unknown write expires later than it is sent": "1- set a 100\n400-401 get = a",
		"a write without time to live stays":             "1-2 set a 100 = OK\n3-4 set b = OK\n500-501 get = b",
		"a deadline is given later":                      "1-2 set a = OK\n3-4 expire 100 = 1\n50-51 get = a\n104-105 get = nil",
		"a deadline is moved":                            "1-2 set a 100 = OK\n3-4 expire 300 = 1\n150-151 get = a\n304-305 get = nil",
		"a deadline is taken away":                       "1-2 set a 100 = OK\n3-4 persist = 1\n150-151 get = a\n152-153 persist = 0",
		"nothing to expire":                              "1-2 expire 100 = 0\n3-4 persist = 0",
		"an unknown expire may have happened":            "1-2 set a = OK\n3- expire 100\n150-151 get = nil",
		"an unknown expire may not have happened":        "1-2 set a = OK\n3- expire 100\n250-251 get = a",
		"violation: expire found nothing":                "1-2 set a = OK\n3-4 expire 100 = 0",
		"violation: expire found what is not there":      "1-2 expire 100 = 1",
		"violation: persist of what has no deadline":     "1-2 set a = OK\n3-4 persist = 1",
		"violation: gone though it was kept":             "1-2 set a 100 = OK\n3-4 persist = 1\n150-151 get = nil",
		"violation: alive past the deadline given later": "1-2 set a = OK\n3-4 expire 100 = 1\n150-151 get = a",
		"violation: dead early":                          "1-2 set a 100 = OK\n50-51 get = nil",
		"violation: alive past its deadline":             "1-2 set a 100 = OK\n150-151 get = a",
		"violation: an expired key is alive again":       "1-2 set a 100 = OK\n95-96 get = nil\n97-98 get = a",
	}.run(t, linear(Registers{Skew: 10 * time.Millisecond}.Model()))
}

func TestEviction(t *testing.T) {
	cases{
		"a value may vanish":                  "1-2 set a = OK\n3-4 get = nil",
		"violation: an evicted value is back": "1-2 set a = OK\n3-4 get = nil\n5-6 get = a",
		"violation: an older value is back":   "1-2 set a = OK\n3-4 set b = OK\n5-6 get = a",
	}.run(t, linear(Registers{Evicts: true}.Model()))
}

func TestWhatVanishesIsInTheLog(t *testing.T) {
	cases{
		"expires where the log says":                  "1-2 set a 100 = OK\n102-110 vanish a expired\n112-113 get = nil",
		"is evicted where the log says":               "1-2 set a = OK\n3-9 vanish a evicted\n5-6 get = nil",
		"an unknown write expires, as the log says":   "1- set a 100\n102-110 vanish a expired\n112-113 get = nil",
		"violation: gone though the log does not say": "1-2 set a 100 = OK\n112-113 get = nil",
		"violation: evicted before the log says":      "1-2 set a = OK\n3-4 get = nil\n5-9 vanish a evicted",
		"violation: seen after the log said gone":     "1-2 set a 100 = OK\n102-104 vanish a expired\n105-106 get = a",
		"violation: expires early":                    "1-2 set a 100 = OK\n50-60 vanish a expired",
		"violation: another value vanishes":           "1-2 set a = OK\n3-9 vanish b evicted",
	}.run(t, linear(Registers{Skew: 10 * time.Millisecond, Evicts: true, Logged: true}.Model()))
	cases{
		"violation: evicted where there is room": "1-2 set a = OK\n3-9 vanish a evicted",
	}.run(t, linear(Registers{Logged: true}.Model()))
	cases{
		"a lock expires where the log says":           "1-2 acquire a 100 = OK 1\n101-105 vanish a expired\n106-110 acquire b 100 = OK 2",
		"violation: free though the log does not say": "1-2 acquire a 100 = OK 1\n106-110 acquire b 100 = OK 2",
		"violation: a lock expires early":             "1-2 acquire a 100 = OK 1\n40-50 vanish a expired",
	}.run(t, linear(Locks(10*time.Millisecond, true)))
}

func TestCounters(t *testing.T) {
	m := Counters()
	histories := cases{
		"it counts":                                    "1-2 incr 1 = 1\n3-4 incr 2 = 3\n5-6 get = 3",
		"an unknown increment counts or not":           "1- incr 5\n2-3 incr 1 = 1\n4-5 incr 1 = 7\n6- incr 9\n7-8 get = 7",
		"two at once":                                  "1-9 incr 1 = 2\n1-9 incr 1 = 1\n10-11 final = 2",
		"violation: a lost increment":                  "1-2 incr 1 = 1\n3-4 incr 1 = 2\n5-6 final = 1",
		"violation: applied twice":                     "1-2 incr 1 = 1\n3-4 get = 2",
		"violation: an unknown increment twice":        "1- incr 1\n2-3 get = 1\n4-5 get = 2",
		"violation: a failed increment counts":         "1-2! incr 1\n3-4 get = 1",
		"violation: a stale read":                      "1-2 incr 1 = 1\n3-4 get = nil",
		"violation: an increment from a stale sum":     "1-2 incr 1 = 1\n3-4 incr 1 = 1",
		"violation: a reply higher than could be sent": "1-2 incr 1 = 3",
	}
	t.Run("porcupine", func(t *testing.T) { histories.run(t, linear(m)) })
	t.Run("bounds", func(t *testing.T) { histories.run(t, Rules{Sums: true}) })
}

func TestMultiKey(t *testing.T) {
	cases{
		"all or nothing":                      "1-2 mset a = OK\n3-4 mget = a a a",
		"nothing yet":                         "1-2 mget = nil nil",
		"violation: half a write":             "1-9 mset a = OK\n2-3 mget = a nil",
		"violation: two writes mixed":         "1-2 mset a = OK\n3-9 mset b = OK\n4-5 mget = a b",
		"violation: an unknown write by half": "1-2 mset a = OK\n3- mset b\n4-5 mget = b a",
	}.run(t, linear(Vectors()))
}

func TestLocks(t *testing.T) {
	cases{
		"taken, refused, given back":              "1-2 acquire a 100 = OK 1\n3-4 acquire b 100 = nil 2\n5-6 release a = 1\n7-8 acquire b 100 = OK 3\n9-10 holder = b",
		"expires":                                 "1-2 acquire a 100 = OK 1\n101-110 acquire b 100 = OK 2",
		"an unknown acquisition holds it":         "1- acquire a 100\n3-4 acquire b 100 = nil 2",
		"an unknown acquisition after expiry":     "1-2 acquire a 100 = OK 1\n95- acquire b 100\n150-151 holder = b",
		"an unknown release":                      "1-2 acquire a 100 = OK 1\n3- release a\n5-6 acquire b 100 = OK 2",
		"violation: two holders":                  "1-2 acquire a 100 = OK 1\n3-4 acquire b 100 = OK 2",
		"violation: a fencing number twice":       "1-2 acquire a 100 = OK 1\n3-4 acquire b 100 = nil 1",
		"violation: the fence falls":              "1-2 acquire a 10 = OK 5\n300-301 acquire b 10 = OK 1",
		"violation: refused though free":          "1-2 acquire a 100 = OK 1\n3-4 release a = 1\n5-6 acquire b 100 = nil 2",
		"violation: another's lock is given back": "1-2 acquire a 100 = OK 1\n3-4 release b = 1",
		"violation: held past its time":           "1-2 acquire a 100 = OK 1\n300-301 holder = a",
		"violation: seen free, then held again":   "1-2 acquire a 100 = OK 1\n95-96 holder = nil\n97-98 holder = a",
	}.run(t, linear(Locks(10*time.Millisecond, false)))
}

func TestLists(t *testing.T) {
	cases{
		"lists grow":                             "1-2 txn append:x:1 read:x = 2 1.\n3-4 txn append:x:2 = 4\n5-6 final read:x = 1.2.",
		"two lists in one order":                 "1-9 txn append:x:1 append:y:2 = 2 2\n2-8 txn read:x read:y = nil nil\n10-11 final read:x read:y = 1. 2.",
		"an unknown append is seen":              "1- txn append:x:1\n3-4 txn read:x = nil\n5-6 txn read:x = 1.",
		"an unknown append is never seen":        "1- txn append:x:1\n3-4 final read:x = nil",
		"violation: a lost append":               "1-2 txn append:x:1 = 2\n3-4 final read:x = nil",
		"violation: applied twice":               "1-2 txn append:x:1 = 2\n3-4 final read:x = 1.1.",
		"violation: a failed append is seen":     "1-2! txn append:x:1\n3-4 final read:x = 1.",
		"violation: nobody wrote it":             "1-2 final read:x = 7.",
		"violation: reads disagree on the order": "1-9 txn append:x:1 = 2\n1-9 txn append:x:2 = 2\n10-11 txn read:x = 1.2.\n12-13 txn read:x = 2.",
		"violation: half a transaction":          "1-9 txn append:x:1 append:y:2 = 2 2\n2-8 txn read:x read:y = 1. nil\n10-11 final read:x read:y = 1. 2.",
		"violation: a stale read":                "1-2 txn append:x:1 = 2\n3-4 txn read:x = nil\n5-6 final read:x = 1.",
		"violation: write skew":                  "1-9 txn read:y append:x:1 = nil 2\n1-9 txn read:x append:y:2 = nil 2\n10-11 final read:x read:y = 1. 2.",
		"violation: real time turned round":      "1-2 txn append:x:1 = 2\n3-4 txn append:x:2 = 4\n5-6 final read:x = 2.1.",
		"violation: a cycle through two writers": "1-9 txn append:x:1 append:y:2 = 2 2\n1-9 txn append:x:3 append:y:4 = 2 2\n10-11 final read:x read:y = 1.3. 4.2.",
		"own appends are seen":                   "1-2 txn read:x append:x:1 read:x append:x:2 read:x = nil 2 1. 4 1.2.\n3-4 final read:x = 1.2.",
		"an unknown one is seen whole":           "1- txn append:x:1 append:y:2\n3-4 txn read:y = nil\n5-6 final read:x read:y = 1. 2.",
		"violation: an own append is not seen":   "1-2 txn append:x:1 read:x = 2 nil\n3-4 final read:x = 1.",
		"violation: an own append is seen early": "1-2 txn read:x append:x:1 = 1. 2\n3-4 final read:x = 1.",
		"violation: another comes between":       "1-9 txn append:x:1 append:x:2 = 2 6\n1-9 txn append:x:3 = 4\n10-11 final read:x = 1.3.2.",
		"violation: a length of another list":    "1-2 txn append:x:1 = 2\n3-4 txn append:x:2 = 2\n5-6 final read:x = 1.2.",
		"violation: half of an unknown one":      "1- txn append:x:1 append:y:2\n3-4 txn read:x = 1.\n5-6 final read:x read:y = 1. nil",
		"violation: half of one, in one read":    "1- txn append:x:1 append:y:2\n5-6 final read:x read:y = 1. nil",
		"violation: in the other list":           "1- txn append:x:1\n5-6 final read:x read:y = nil 1.",
	}.run(t, Rules{Lists: true})
}

func TestHistoriesThatNobodyWrites(t *testing.T) {
	m := Registers{}.Model()
	for name, text := range map[string]string{
		"a set of nothing":       "1-2 set = OK",
		"a get without reply":    "1-2 get",
		"an unknown kind":        "1-2 dance = OK",
		"a null counter":         "1-2 incr 1 = nil",
		"a step without element": "1-2 txn append:x = 1",
		"a step without list":    "1-2 txn walk = 1",
	} {
		if err := Sound(parse(t, text)); err == nil {
			t.Errorf("%s passed", name)
		}
	}
	for _, r := range Judge(Rules{Model: &m, Lists: true, Sums: true}, nil, Limits{}) {
		if r.OK {
			t.Errorf("of nothing, %s passed: %s", r.Checker, r.Text)
		}
	}
}

// TestForeignHistories gives each workload's rules the history of each other one, as a folder would have it whose files were mixed up.
func TestForeignHistories(t *testing.T) {
	registers, counters, vectors, locks := Registers{}.Model(), Counters(), Vectors(), Locks(0, false)
	texts := []string{"1-2 set a = OK\n3-4 persist = 0", "1-2 incr 1 = 1", "1-2 mset a = OK\n3-4 mget = a a", "1-2 acquire a 100 = OK 1\n3-4 holder = a", "1-2 txn append:x:1 = 2\n3-4 final read:x = 1."}
	for i, rules := range []Rules{{Model: &registers}, {Model: &counters, Sums: true}, {Model: &vectors}, {Model: &locks}, {Lists: true}} {
		for k, text := range texts {
			ok := true
			ops := parse(t, text)
			for _, r := range Judge(rules, ops, Limits{Timeout: time.Second}) {
				ok = ok && r.OK
			}
			if Count(ops); ok != (i == k) {
				t.Errorf("rules %d of %q: %v", i, text, ok)
			}
		}
	}
}

func TestLastReads(t *testing.T) {
	for text, ok := range map[string]bool{
		"1-2 set a = OK\n3-4 final = a":                 true,
		"1-2 acquire a 100 = OK 1\n3-4 holder = a":      true,
		"1-2 set a = OK\n3-5 get = a\n4-6 get = a":      true,
		"1-2 txn append:x:1 = 2\n3-4 final read:x = 1.": true,
		"1-2 set a = OK": false,
		"1-2 set a = OK\n3-4 final = a\n5-6 set b = OK": false,
		"1-5 set a = OK\n3-6 get = a":                   false,
		"1-2 set a = OK\n3-4! final":                    false,
		"1-2 txn read:x = nil":                          false,
	} {
		if r := LastReads(parse(t, text)); r.OK != ok {
			t.Errorf("%q: %+v", text, r)
		}
	}
}

// TestASearchThatDoesNotEndIsAFailure gives porcupine many concurrent writes and a read of a value from nowhere.
func TestASearchThatDoesNotEndIsAFailure(t *testing.T) {
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "1-99 set v%d = OK\n2-98 get = v%d\n", i, (i*7)%40)
	}
	text.WriteString("100-101 get = ghost")
	m := Registers{}.Model()
	r := Linearizable(m, parse(t, text.String()), Limits{Timeout: time.Millisecond})
	if r.OK || !strings.Contains(r.Text, "nothing is proved") {
		t.Errorf("got %+v", r)
	}
}

func TestAViolationHasAPicture(t *testing.T) {
	m := Registers{}.Model()
	r := Linearizable(m, parse(t, "1-2 set a = OK\n3-4 get = nil"), Limits{Timeout: time.Second, Dir: t.TempDir()})
	page, err := os.ReadFile(r.Picture)
	if err != nil || !strings.Contains(string(page), "set(a)") {
		t.Errorf("%+v: %v", r, err)
	}
}

func view(node string, epoch uint64, groups ...client.GroupStatus) View {
	return View{Node: node, Status: client.Status{Epoch: epoch, Groups: groups}}
}

func group(id slot.GroupID, first, last uint16, leaders ...client.ReplicaStatus) client.GroupStatus {
	return client.GroupStatus{ID: id, Slots: []slot.Range{{First: first, Last: last}}, Replicas: leaders}
}

func leader(node topology.NodeID, term uint64) client.ReplicaStatus {
	return client.ReplicaStatus{Node: node, State: "leader", Term: term}
}

func TestOwners(t *testing.T) {
	for name, views := range map[string][]View{
		"views agree":                             {view("a", 3, group(1, 0, 9)), view("b", 3, group(1, 0, 9))},
		"a slot moves at an epoch":                {view("a", 3, group(1, 0, 9), group(2, 10, 19)), view("b", 4, group(1, 0, 8), group(2, 9, 19))},
		"leaders of two terms":                    {view("a", 3, group(1, 0, 9, leader("x", 1))), view("a", 3, group(1, 0, 9, leader("y", 2)))},
		"a step down, caught half way":            {view("a", 3, group(1, 0, 9, leader("x", 1))), view("a", 3, group(1, 0, 9, leader("x", 2))), view("a", 3, group(1, 0, 9, leader("y", 2))), view("a", 3, group(1, 0, 9, leader("y", 2)))},
		"violation: a slot of two groups":         {view("a", 3, group(1, 0, 9), group(2, 9, 19))},
		"violation: two maps of one epoch":        {view("a", 3, group(1, 0, 9)), view("b", 3, group(1, 0, 8))},
		"violation: a map goes back":              {view("a", 3, group(1, 0, 9)), view("a", 2, group(1, 0, 9))},
		"violation: two leaders in one term":      {view("a", 3, group(1, 0, 9, leader("x", 2), leader("y", 2))), view("a", 3, group(1, 0, 9, leader("x", 2), leader("y", 2)))},
		"violation: nobody answered, so no proof": nil,
	} {
		o := NewOwners()
		for _, v := range views {
			o.Add(v)
		}
		if r := o.Result(); r.OK == strings.HasPrefix(name, "violation") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestLiveness(t *testing.T) {
	ops := parse(t, "1-2 set a = OK\n10-30 set b = OK\n15-16! set c\n40- set d\n50-60 set e = OK")
	at := func(ms int64) int64 { return ms * int64(time.Millisecond) }
	got := Liveness(ops, []Fault{{"kill", at(5), at(45)}, {"late", at(70), at(80)}})
	want := []Recovery{
		{"kill", 25 * time.Millisecond, 15 * time.Millisecond, 25 * time.Millisecond},
		{"late", -1, -1, 10 * time.Millisecond},
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}
