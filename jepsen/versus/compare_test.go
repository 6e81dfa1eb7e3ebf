package versus

import (
	"slices"
	"testing"
)

func TestTheOrderOfSystemsChanges(t *testing.T) {
	given := []System{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}
	names := func(systems []System) (out []string) {
		for _, s := range systems {
			out = append(out, s.Name)
		}
		return out
	}
	before := map[string]map[string]bool{} // who ran before whom
	for round := range 5 {
		order := names(inTurn(given, round))
		if round == 0 && !slices.Equal(order, names(given)) {
			t.Errorf("first round %v", order)
		}
		for i, n := range order[1:] {
			if before[n] == nil {
				before[n] = map[string]bool{}
			}
			before[n][order[i]] = true
		}
		if slices.Sort(order); !slices.Equal(order, names(given)) {
			t.Errorf("round %d measures %v", round, order)
		}
	}
	for _, s := range given {
		if len(before[s.Name]) < 2 {
			t.Errorf("before %s runs always %v", s.Name, before[s.Name])
		}
	}
}
