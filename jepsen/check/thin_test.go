package check

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/history"
)

// random is a history of a register with few writes and many reads at the same time, right or wrong.
func random(rng *rand.Rand) (ops []history.Op) {
	values := []*string{nil}
	for i := range 1 + rng.IntN(3) {
		v := fmt.Sprint("v", i)
		values = append(values, &v)
	}
	op := func(kind string) history.Op {
		call := rng.Int64N(20)
		return history.Op{ID: int64(len(ops) + 1), Process: len(ops), Kind: kind, Key: "k", Call: call, Return: call + 1 + rng.Int64N(8), Outcome: history.Applied}
	}
	for _, v := range values[1:] {
		w := op("set")
		w.Args = []string{*v}
		if rng.IntN(4) == 0 {
			w.Outcome = history.Unknown
		}
		ops = append(ops, w)
	}
	for range rng.IntN(8) {
		r := op("get")
		r.Reply = []*string{values[rng.IntN(len(values))]}
		ops = append(ops, r)
	}
	return ops
}

// TestThinningChangesNoVerdict compares with the search through everything.
func TestThinningChangesNoVerdict(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	thinner, verdicts := 0, map[bool]int{}
	for range 20000 {
		ops := random(rng)
		if len(thin(ops)) < len(ops) {
			thinner++
		}
		m := Registers{}.Model()
		got := Linearizable(m, ops, Limits{Timeout: time.Minute})
		m.Thin = nil
		want := Linearizable(m, ops, Limits{Timeout: time.Minute})
		if got.OK != want.OK {
			t.Fatalf("thinned, it is %v, whole %v: %v", got.OK, want.OK, ops)
		}
		verdicts[want.OK]++
	}
	if thinner < 1000 || verdicts[true] < 1000 || verdicts[false] < 1000 {
		t.Errorf("the test proves nothing: %d were thinned, verdicts %v", thinner, verdicts)
	}
}

func TestOnlyPlainRegistersAreThinned(t *testing.T) {
	v, none := "a", (*string)(nil)
	get := history.Op{Kind: "get", Outcome: history.Applied, Reply: []*string{&v}}
	set := func(args ...string) history.Op { return history.Op{Kind: "set", Args: args} }
	for name, ops := range map[string][]history.Op{
		"a deadline":    {set("a", "px 5")},
		"a value twice": {set("a"), set("a")},
		"a del":         {set("a"), {Kind: "del"}},
		"a vanish":      {set("a"), {Kind: "vanish"}},
	} {
		if got := thin(append(ops, get, get, get)); len(got) != len(ops)+3 {
			t.Errorf("%s: thinned to %v", name, got)
		}
	}
	if got := thin([]history.Op{set("a"), get, get, get}); len(got) != 2 {
		t.Errorf("three equal reads are thinned to %v", got)
	}
	if got := (Registers{Evicts: true}).Model().Thin([]history.Op{set("a"), get, get, get}); len(got) != 4 {
		t.Errorf("values that may go at any time are thinned: a read of %v is of no one moment", none)
	}
}
