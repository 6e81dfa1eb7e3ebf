package load

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestZipfHasItsFrequencies(t *testing.T) {
	const draws = 400_000
	for _, n := range []int{1, 2, 7, 50} {
		for _, s := range []float64{0.01, 0.5, 0.99, 1, 1.0000001, 1.3, 4, maxZipf} {
			z := newZipf(rand.New(rand.NewPCG(1, 2)), s, n)
			drawn := make([]float64, n)
			for range draws {
				drawn[z.next()]++
			}
			total := 0.0
			for k := range n {
				total += math.Pow(float64(k+1), -s)
			}
			for k := range n {
				p := math.Pow(float64(k+1), -s) / total
				// None of 480 frequencies should be off by more than five standard deviations.
				if got := drawn[k] / draws; math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/draws)+1e-9 {
					t.Errorf("exponent %v, %d of %d: %.5f, want %.5f", s, k, n, got, p)
				}
			}
		}
	}
}

func TestZipfOverManyKeys(t *testing.T) {
	for _, s := range []float64{0.01, 0.99, 1, 1.3, maxZipf} {
		z := newZipf(rand.New(rand.NewPCG(1, 2)), s, 100_000_000)
		for range 100_000 {
			if k := z.next(); k < 0 || k >= 100_000_000 {
				t.Fatalf("exponent %v: %d", s, k)
			}
		}
	}
}

func BenchmarkZipf(b *testing.B) {
	b.ReportAllocs()
	z := newZipf(rand.New(rand.NewPCG(1, 2)), 0.99, 1_000_000)
	for b.Loop() {
		z.next()
	}
}
