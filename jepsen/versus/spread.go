package versus

import (
	"fmt"
	"slices"
)

// Spread is the middle of several measurements of the same thing, and how far they lie apart.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf takes the lower one of two medians: a figure that was measured, not one between. Without values it is zero.
func spreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{Median: v[(len(v)-1)/2], Min: v[0], Max: v[len(v)-1]}
}

// ratios divides a's values by b's, pair by pair, leaving out what nothing was measured for.
func ratios(a, b []float64) (out []float64) {
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			out = append(out, a[i]/b[i])
		}
	}
	return out
}

// format prints the median, and the range if there is one.
func (s Spread) format(verb string) string {
	text := fmt.Sprintf(verb, s.Median)
	if s.Min != s.Max {
		text += fmt.Sprintf(" ("+verb+"–"+verb+")", s.Min, s.Max)
	}
	return text
}
