package leaders

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func node(c string) topology.NodeID { return topology.NodeID(strings.Repeat(c, 40)) }

func TestMergeKeepsTheHighestTerm(t *testing.T) {
	var tab Table
	if _, ok := tab.Leader(1); ok {
		t.Fatal("an empty table knows a leader")
	}
	first := []Claim{{1, 3, node("a")}, {2, 1, node("b")}}
	if news, err := tab.Merge(first); err != nil || !slices.Equal(news, first) {
		t.Fatalf("Merge = %v, %v; want all of it as news", news, err)
	}
	news, err := tab.Merge([]Claim{{1, 2, node("c")}, {2, 2, node("c")}, {1, 3, node("a")}})
	if err != nil || !slices.Equal(news, []Claim{{2, 2, node("c")}}) {
		t.Fatalf("Merge = %v, %v; want only the newer term of group 2", news, err)
	}
	if c, _ := tab.Leader(1); c.Node != node("a") {
		t.Fatalf("group 1 is led by %v after an old claim", c)
	}
}

func TestMergeNamesTwoLeadersOfOneTerm(t *testing.T) {
	var tab Table
	_, _ = tab.Merge([]Claim{{1, 3, node("a")}})
	if _, err := tab.Merge([]Claim{{1, 3, node("b")}}); err == nil {
		t.Fatal("two leaders in one term were not reported")
	}
	if c, _ := tab.Leader(1); c.Node != node("a") {
		t.Fatalf("leader %v: the first heard must stay", c)
	}
}

func TestRetainForgetsGroupsOutsideTheMap(t *testing.T) {
	var tab Table
	_, _ = tab.Merge([]Claim{{1, 1, node("a")}, {2, 1, node("a")}})
	tab.Retain(&topology.Map{Groups: []topology.Group{{ID: 2}}})
	if got := tab.All(); len(got) != 1 || got[0].Group != 2 {
		t.Fatalf("All = %v, want group 2 alone", got)
	}
}

// Whatever the order and however often claims arrive, tables that heard the same agree.
func TestMergeIsCommutativeAndIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaderOf := func(g slot.GroupID, term uint64) topology.NodeID {
			return node(string("abcdef"[(uint64(g)*7+term)%6]))
		}
		claims := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Claim {
			g := slot.GroupID(rapid.Uint32Range(1, 4).Draw(t, "group"))
			term := rapid.Uint64Range(1, 5).Draw(t, "term")
			return Claim{g, term, leaderOf(g, term)}
		})).Draw(t, "claims")
		var a, b Table
		for _, c := range claims {
			if _, err := a.Merge([]Claim{c}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Merge(append(rapid.Permutation(claims).Draw(t, "order"), claims...)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.All(), b.All()) {
			t.Fatalf("%v and %v after the same claims", a.All(), b.All())
		}
	})
}

func TestATableSaysWhatItEncodes(t *testing.T) {
	var tab, other Table
	said := func() []byte {
		t.Helper()
		data, err := tab.Encoded()
		if err != nil {
			t.Fatal(err)
		}
		if claims, err := Decode(data); err != nil || !slices.Equal(claims, tab.All()) {
			t.Fatalf("%s decodes to %v, %v; want %v", data, claims, err, tab.All())
		}
		return data
	}
	empty := said()
	_, _ = tab.Merge([]Claim{{2, 1, node("b")}, {1, 3, node("a")}})
	first := said()
	_, _ = other.Merge([]Claim{{1, 3, node("a")}})
	_, _ = other.Merge([]Claim{{2, 1, node("b")}})
	if tab.Says(empty) || !tab.Says(first) || !other.Says(first) {
		t.Error("a table does not recognize what it says, or says what it said when it was empty")
	}
	_, _ = tab.Merge([]Claim{{1, 4, node("b")}})
	if second := said(); tab.Says(first) || !tab.Says(second) || other.Says(second) {
		t.Error("after news, the table says what it said before, or another one says the news")
	}
	tab.Retain(&topology.Map{Groups: []topology.Group{{ID: 2}}})
	if third := said(); !tab.Says(third) || other.Says(third) {
		t.Error("what was forgotten is said still")
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON":       "{",
		"group 0":       `[{"group":0,"term":1,"node":"` + string(node("a")) + `"}]`,
		"term 0":        `[{"group":1,"term":0,"node":"` + string(node("a")) + `"}]`,
		"a bad node id": `[{"group":1,"term":1,"node":"xyz"}]`,
		"too much":      "[" + strings.Repeat(" ", MaxEncoded) + "]",
	} {
		if _, err := Decode([]byte(data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`[{"group":1,"term":1,"node":"` + string(node("a")) + `"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		claims, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Encode(claims)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil || !slices.Equal(claims, back) {
			t.Fatalf("%v became %v, %v", claims, back, err)
		}
	})
}
