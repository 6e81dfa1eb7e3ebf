package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/history"
)

// Where the log tells the order of writes that were all under way at one time, the search takes no time, and an order that
// contradicts the log is none.
func TestTheLogsOrderIsTheOnlyOne(t *testing.T) {
	const n = 24
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "%d-1000 getset v%d = %s\n", i+1, i, map[bool]string{true: "nil", false: fmt.Sprint("v", i-1)}[i == 0])
	}
	for i := range n {
		fmt.Fprintf(&text, "50-1000 get = v%d\n", i*7%n)
	}
	fmt.Fprintf(&text, "1001-1002 get = v%d\n", n-1)
	m := Registers{}.Model()
	for name, x := range map[string]struct {
		swap, want bool
	}{
		"as it was":               {false, true},
		"two have changed places": {true, false},
	} {
		ops := parse(t, text.String())
		for i := range n {
			ops[i].Place = i + 1
		}
		if x.swap {
			ops[3].Place, ops[4].Place = ops[4].Place, ops[3].Place
		}
		if r := Linearizable(m, ops, Limits{Timeout: 10 * time.Second}); r.OK != x.want || strings.Contains(r.Text, "did not end") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A stuck disk: writes of unknown outcome pile up, all take effect when it goes on, and only the log knows in which order.
func TestWritesThatWaitedForADisk(t *testing.T) {
	var text strings.Builder
	text.WriteString("1-2 set old = OK\n")
	for i := range 16 {
		fmt.Fprintf(&text, "%d- set v%d\n", 10+i, i)
	}
	for i := range 8 {
		fmt.Fprintf(&text, "%d-%d get = old\n90-%d set w%d = OK\n", 50+i, 95+i, 101+i, i)
	}
	for i := range 12 {
		fmt.Fprintf(&text, "%d-%d set x%d = OK\n%d-%d get = x%d\n", 110+i*10, 112+i*10, i, 113+i*10, 115+i*10, i)
	}
	ops := parse(t, text.String())
	place := 0
	for i := range ops {
		if ops[i].Kind == "set" {
			place++
			ops[i].Place = place
		}
		if strings.HasPrefix(ops[i].String(), "set(v") {
			ops[i].Until = 101 * int64(time.Millisecond)
		}
	}
	if r := Linearizable(Registers{Logged: true}.Model(), ops, Limits{Timeout: 10 * time.Second}); !r.OK {
		t.Errorf("%+v", r)
	}
}

// Keys that are written together are read together: a torn read has no place among the writes, and is found.
func TestVectorsAreArranged(t *testing.T) {
	ops := parse(t, "1-90 mset a = OK\n2-90 mset b = OK\n3-90 mget = a a\n4-90 mget = b b\n5-90 mget = a b")
	ops[0].Place, ops[1].Place = 2, 1
	var places []int
	for _, op := range arrange(ops) {
		places = append(places, op.Place)
	}
	if want := []int{3, 1, 4, 2, 0}; !slices.Equal(places, want) {
		t.Errorf("places %v, want %v", places, want)
	}
	for n, want := range map[int]bool{4: true, 5: false} {
		if r := Linearizable(Vectors(), ops[:n], Limits{Timeout: time.Second}); r.OK != want {
			t.Errorf("the first %d: %+v", n, r)
		}
	}
}

// With places or without, the verdict on a history is the same.
func TestPlacesChangeNoVerdict(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	right, wrong := 0, 0
	for range 3000 {
		ops, plain := happened(rng), []history.Op(nil)
		for _, op := range ops {
			op.Place = 0
			plain = append(plain, op)
		}
		m := Registers{Logged: true}.Model()
		limits := Limits{Timeout: 10 * time.Second}
		placed, free := Linearizable(m, ops, limits), Linearizable(m, plain, limits)
		if placed.OK && !free.OK {
			t.Fatalf("places make a wrong history right: %v", ops)
		}
		if placed.OK {
			right++
		} else {
			wrong++
		}
		// A history that did happen, with the places that it had, is right: see happened.
		if !placed.OK && ops[len(ops)-1].ID == honest {
			t.Fatalf("a right history is called wrong: %v: %s", ops, placed.Text)
		}
	}
	if right < 500 || wrong < 500 {
		t.Errorf("the test proves nothing: %d right, %d wrong", right, wrong)
	}
}

// honest is the ID of the last operation of a history that really happened.
const honest = 1000

// happened makes a history of a register: each operation takes effect at a moment between call and return, and that is the order
// of the places. In every second one, a read tells of another value than it saw.
func happened(rng *rand.Rand) (ops []history.Op) {
	type moment struct{ at, op int }
	var moments []moment
	n := 4 + rng.IntN(8)
	for i := range n {
		call := rng.IntN(40)
		at := call + rng.IntN(30)
		op := history.Op{ID: int64(i), Process: i, Key: "k", Kind: "set", Args: []string{fmt.Sprint("v", i)}, Call: int64(call), Return: int64(at + rng.IntN(30)), Outcome: history.Applied}
		switch rng.IntN(6) {
		case 0, 1, 2:
			op.Kind, op.Args = "get", nil
		case 3:
			op.Kind = "getset"
		case 4:
			op.Kind, op.Args = "del", nil
		}
		moments = append(moments, moment{at, i})
		ops = append(ops, op)
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return a.at - b.at })
	var now *string
	place := 0
	for _, m := range moments {
		op := &ops[m.op]
		was := now
		switch op.Kind {
		case "get":
			op.Reply = []*string{was}
			continue
		case "del":
			gone := map[bool]string{true: "0", false: "1"}[was == nil]
			op.Reply, now = []*string{&gone}, nil
			continue // DEL writes nothing by which the log could be searched for it
		case "getset":
			op.Reply = []*string{was}
		}
		place++
		op.Place, now = place, &op.Args[0]
		if rng.IntN(4) == 0 && op.Kind == "set" {
			op.Outcome, op.Until = history.Unknown, op.Return
		}
	}
	last := &ops[n-1]
	last.ID = honest
	if rng.IntN(2) == 0 && len(moments) > 0 {
		for i := range ops {
			if ops[i].Kind == "get" {
				other := fmt.Sprint("v", rng.IntN(n))
				ops[i].Reply, last.ID = []*string{&other}, 0
				break
			}
		}
	}
	return ops
}
