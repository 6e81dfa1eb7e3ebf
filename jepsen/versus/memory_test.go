package versus

import "testing"

func TestMemoryIsSettledWhenItStays(t *testing.T) {
	for name, c := range map[string]struct {
		at   func(look int64) int64
		want int64 // the look at which it is settled, 0 if it never is
	}{
		"at once":                     {func(int64) int64 { return 1000 }, calmSteps},
		"within one percent":          {func(i int64) int64 { return 1000 + 9*(i%2) }, calmSteps},
		"it still falls a little":     {func(i int64) int64 { return 100_000 - 500*i }, 0},
		"it still grows a little":     {func(i int64) int64 { return 100_000 + 500*i }, 0},
		"it moves before it is calm":  {func(i int64) int64 { return 1000 + 100*(i/10) }, 0},
		"it has fallen, and stays so": {func(i int64) int64 { return max(500, 1000-100*i) }, 5 + calmSteps},
	} {
		got, now := int64(0), calm{from: c.at(0)}
		for i := int64(1); i < 60 && got == 0; i++ {
			if now.look(c.at(i)) {
				got = i
			}
		}
		if got != c.want {
			t.Errorf("%s: settled at look %d, want %d", name, got, c.want)
		}
	}
}
