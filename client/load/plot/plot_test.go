package plot

import (
	"math"
	"slices"
	"testing"
)

func TestTicksAreRoundAndCoverTheValues(t *testing.T) {
	for _, hi := range []float64{0, 0.3, 1, 7, 10, 99, 100, 101, 123_456, 2e6} {
		a, v := Linear(hi, 0, 100)
		if v[0] != 0 || v[len(v)-1] < hi || len(v) < 2 || len(v) > fewTicks+2 || a.hi != v[len(v)-1] {
			t.Errorf("linear to %v: %v", hi, v)
		}
	}
	for _, r := range [][2]float64{{1, 1}, {90, 110}, {3, 60e6}, {250, 260}, {0, 5}} {
		a, v := Log(r[0], r[1], 0, 100)
		if a.lo > max(r[0], 1e-3) || a.hi < r[1] || len(v) < 2 || !slices.IsSorted(v) {
			t.Errorf("logarithmic %v: %v to %v, %v", r, a.lo, a.hi, v)
		}
	}
}

func TestRoundSteps(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 1: 1, 1.1: 2, 2: 2, 3: 5, 5.5: 10, 0.03: 0.05, 70: 100} {
		if got := roundStep(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("after %v comes %v, want %v", v, got, want)
		}
	}
}

func TestLabels(t *testing.T) {
	for got, want := range map[string]string{
		Percent(1): "0 %", Percent(10): "90 %", Percent(1000): "99.9 %", Percent(1e5): "99.999 %",
		Count(1500): "1.5k", Count(2e6): "2M", Count(0): "0", Micros(1500): "1.5ms", Seconds(0.5): "0.5 s",
		ShortMicros(0): "0s", ShortMicros(999): "999µs", ShortMicros(224_255): "224ms", ShortMicros(12_879): "12.9ms", ShortMicros(999_999): "1s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
