package check

import (
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/history"
)

// said makes operations that follow each other, a millisecond each.
func said(ops ...history.Op) []history.Op {
	for i := range ops {
		ops[i].ID, ops[i].Key = int64(i), "k"
		ops[i].Call, ops[i].Return = int64(i)*2e6, int64(i)*2e6+1e6
		if ops[i].Outcome == "" {
			ops[i].Outcome = history.Applied
		}
	}
	return ops
}

func text(s string) []*string { return []*string{&s} }

func TestTheTollIsCounted(t *testing.T) {
	set := func(v string) history.Op { return history.Op{Kind: "set", Args: []string{v}, Reply: text("OK")} }
	get := func(v string) history.Op { return history.Op{Kind: "get", Reply: text(v)} }
	null := history.Op{Kind: "get", Reply: []*string{nil}}
	incr := func(by, sum string) history.Op { return history.Op{Kind: "incr", Args: []string{by}, Reply: text(sum)} }
	refused := history.Op{Kind: "get", Outcome: history.Failed}
	push := func(e string) history.Op {
		return history.Op{Kind: "txn", Args: []string{"append x " + e}, Reply: text("1")}
	}
	final := func(v string) history.Op { return history.Op{Kind: "final", Reply: text(v)} }
	lists := func(v string) history.Op {
		return history.Op{Kind: "final", Args: []string{"read x"}, Reply: text(v)}
	}
	for name, c := range map[string]struct {
		ops  []history.Op
		want Toll
	}{
		"nothing is wrong":                   {said(set("a"), get("a"), set("b"), get("b"), null), Toll{Acknowledged: 2}},
		"a value comes back":                 {said(set("a"), set("b"), get("a"), get("b")), Toll{Acknowledged: 2, Stale: 1}},
		"an unknown write may come late":     {said(history.Op{Kind: "set", Args: []string{"a"}, Outcome: history.Unknown}, set("b"), get("a")), Toll{Acknowledged: 1, Silence: 3 * time.Millisecond}},
		"a value that was gone comes back":   {said(set("a"), null, get("a")), Toll{Acknowledged: 1, Returned: 1}},
		"the largest increment is missing":   {said(incr("1", "1"), incr("7", "8"), incr("5", "13"), final("6")), Toll{Acknowledged: 3, Lost: 1}},
		"two increments are missing":         {said(incr("4", "4"), incr("5", "9"), final("0")), Toll{Acknowledged: 2, Lost: 2}},
		"an unknown increment covers nobody": {said(incr("4", "4"), history.Op{Kind: "incr", Args: []string{"9"}, Outcome: history.Unknown}, final("13")), Toll{Acknowledged: 1, Silence: 2 * time.Millisecond}},
		"an element is missing":              {said(push("a"), push("b"), push("c"), lists("a.c.")), Toll{Acknowledged: 3, Lost: 1}},
		"nobody answers for a while":         {said(set("a"), refused, refused, get("a")), Toll{Acknowledged: 1, Silence: 6 * time.Millisecond}},
	} {
		if got := Count(c.ops); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
