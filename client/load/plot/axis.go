package plot

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Tick is a labelled place on an axis, in pixels.
type Tick struct {
	At    float64
	Label string
}

// Axis maps values to pixels from..to. Logarithmic axes have no room for values below lo.
type Axis struct {
	lo, hi   float64
	from, to float64
	log      bool
}

// At is where a value lies.
func (a Axis) At(v float64) float64 {
	lo, hi := a.lo, a.hi
	if a.log {
		v, lo, hi = math.Log(max(v, lo)), math.Log(lo), math.Log(hi)
	}
	return a.from + (v-lo)/(hi-lo)*(a.to-a.from)
}

// fewTicks is how many labels fit.
const fewTicks = 6

// Linear starts at 0 and ends at a round number of at least hi; it comes with the values to label.
func Linear(hi, from, to float64) (Axis, []float64) {
	step := roundStep(hi / fewTicks)
	n := max(1, math.Ceil(hi/step-1e-9))
	var values []float64
	for i := range int(n) + 1 {
		values = append(values, float64(i)*step)
	}
	return Axis{0, n * step, from, to, false}, values
}

// Until starts at 0 and ends at hi; of the values to label, the last one may lie behind it.
func Until(hi, from, to float64) (Axis, []float64) {
	_, values := Linear(hi, from, to)
	return Axis{0, hi, from, to, false}, values
}

// Exact is a logarithmic axis from lo to hi.
func Exact(lo, hi, from, to float64) Axis { return Axis{lo, hi, from, to, true} }

// roundStep is the next of 1, 2, 5, 10, 20, … times a power of ten from v up.
func roundStep(v float64) float64 {
	if v <= 0 {
		return 1
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*base >= v*(1-1e-9) {
			return f * base
		}
	}
	return 10 * base
}

// Log reaches from the round number (1, 2, 5, 10, …) below lo to the one above hi.
func Log(lo, hi, from, to float64) (Axis, []float64) {
	lo = max(lo, 1e-3)
	hi = max(hi, lo)
	first := roundStep(lo)
	if first > lo*(1+1e-9) {
		first = roundStep(lo / 2.5) // from 1, 2, 5 times ten to the one before
	}
	values := []float64{first}
	for v := first; v < hi || len(values) < 2; {
		v = roundStep(v * 1.5)
		values = append(values, v)
	}
	return Axis{first, values[len(values)-1], from, to, true}, sparse(values)
}

// sparse keeps only powers of ten where all would not fit.
func sparse(values []float64) (out []float64) {
	if len(values) <= 2*fewTicks {
		return values
	}
	for _, v := range values {
		if l := math.Log10(v); math.Abs(l-math.Round(l)) < 1e-9 {
			out = append(out, v)
		}
	}
	return out
}

// Ticks label values.
func (a Axis) Ticks(values []float64, label func(float64) string) (out []Tick) {
	for _, v := range values {
		out = append(out, Tick{a.At(v), label(v)})
	}
	return out
}

// Micros is a duration for people.
func Micros(us float64) string { return time.Duration(us * float64(time.Microsecond)).String() }

// ShortMicros keeps three digits.
func ShortMicros(us int64) string {
	unit := int64(1)
	for us/unit >= 1000 {
		unit *= 10
	}
	return Micros(float64((us + unit/2) / unit * unit))
}

// Seconds is a place on an axis of time.
func Seconds(s float64) string { return Number(s) + " s" }

// Count shortens: 1.5k, 2M.
func Count(v float64) string {
	switch {
	case v >= 1e6:
		return Number(v/1e6) + "M"
	case v >= 1e3:
		return Number(v/1e3) + "k"
	}
	return Number(v)
}

// Number has four digits behind the point at most.
func Number(v float64) string { return strconv.FormatFloat(math.Round(v*1e4)/1e4, 'f', -1, 64) }

// Percent names a place on the axis of 1/(1-p): 10 is 90 %.
func Percent(inverse float64) string { return fmt.Sprintf("%s %%", Number(100-100/inverse)) }
