package load

import (
	"math"
	"math/rand/v2"
)

// zipf draws numbers below n, k with a probability proportional to (k+1) to the power of -s, for any s above 0: math/rand's wants s above 1,
// and YCSB's usual skew is 0.99. It inverts the integral of the density and rejects what the steps have too much of.
//
// See W. Hörmann and G. Derflinger, Rejection-inversion to generate variates from monotone discrete distributions, 1996.
type zipf struct {
	rnd *rand.Rand
	n   float64
	s   float64
	// from and to are the integral where the first step begins and the last one ends. near is how far above x a number is
	// accepted without a closer look.
	from, to, near float64
}

func newZipf(rnd *rand.Rand, s float64, n int) *zipf {
	z := &zipf{rnd: rnd, n: float64(n), s: s}
	z.from, z.to = z.integral(1.5)-1, z.integral(z.n+0.5)
	z.near = 2 - z.inverse(z.integral(2.5)-z.weight(2))
	return z
}

func (z *zipf) next() int {
	for {
		u := z.to + z.rnd.Float64()*(z.from-z.to)
		x := z.inverse(u)
		k := min(max(math.Round(x), 1), z.n)
		if k-x <= z.near || u >= z.integral(k+0.5)-z.weight(k) {
			return int(k) - 1
		}
	}
}

func (z *zipf) weight(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

// integral is that of the weight from 1 to x.
func (z *zipf) integral(x float64) float64 {
	log := math.Log(x)
	if t := (1 - z.s) * log; math.Abs(t) > tiny {
		return log * math.Expm1(t) / t
	}
	return log // what it comes to where s is 1, or x is
}

// inverse is the x of which integral is y.
func (z *zipf) inverse(y float64) float64 {
	if t := max((1-z.s)*y, -1); math.Abs(t) > tiny {
		return math.Exp(y * math.Log1p(t) / t)
	}
	return math.Exp(y)
}

// tiny is where the quotients are 1 for a float64.
const tiny = 1e-12
