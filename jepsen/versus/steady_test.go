package versus

import (
	"testing"
	"time"
)

// tries are one per millisecond, each of which takes so many microseconds.
func tries(took ...float64) (out []computing) {
	at := time.Duration(0)
	for _, us := range took {
		out = append(out, computing{at, us})
		at += time.Duration(us*1000) + time.Millisecond
	}
	return out
}

func TestSteadiness(t *testing.T) {
	for name, c := range map[string]struct {
		took    []float64
		longest time.Duration
		slow    float64
		long    int
	}{
		"steady":                             {[]float64{100, 100, 139, 100}, 0, 0, 0},
		"one stall":                          {[]float64{100, 100, 50_000, 100}, 50 * time.Millisecond, 25, 1},
		"one stall, at the end":              {[]float64{100, 100, 100, 50_000}, 50 * time.Millisecond, 25, 1},
		"a slow phase ends with its last":    {[]float64{100, 100, 100, 150, 150, 100}, 1300 * time.Microsecond, 0, 0},
		"two phases are not one":             {[]float64{100, 150, 100, 200, 100, 100}, 200 * time.Microsecond, 0, 0},
		"slow, but for less than long is":    {[]float64{100, 100, 2000, 100}, 2 * time.Millisecond, 25, 0},
		"the longest is not always the last": {[]float64{100, 3000, 100, 100, 150}, 3 * time.Millisecond, 20, 1},
	} {
		s := steadinessOf(tries(c.took...))
		if s.Typical != 100 || s.Longest != c.longest || s.Slow != c.slow || s.Long != c.long {
			t.Errorf("%s: got %+v", name, s)
		}
	}
	if s := steadinessOf(nil); s != (Steadiness{}) {
		t.Errorf("nothing gave %+v", s)
	}
}
