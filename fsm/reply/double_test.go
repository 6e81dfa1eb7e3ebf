package reply

import (
	"math"
	"strconv"
	"testing"
)

func TestAppendDouble(t *testing.T) {
	for want, f := range map[string]float64{
		"0":                       0,
		"-0":                      math.Copysign(0, -1),
		"nan":                     math.NaN(),
		"inf":                     math.Inf(1),
		"-inf":                    math.Inf(-1),
		"3":                       3,
		"-17":                     -17,
		"4503599627370496":        1 << 52,
		"0.1":                     0.1,
		"-3.25":                   -3.25,
		"0.30000000000000004":     0.30000000000000004,
		"30000000000000004000000": 3.0000000000000004e22,
		"1e+21":                   1e21,
		"1e+100":                  1e100,
		"9007199254740992":        1 << 53,
		"123456789012345680000":   123456789012345680000,
		"1.7976931348623157e+308": math.MaxFloat64,
		"5e-324":                  math.SmallestNonzeroFloat64,
		"0.001":                   0.001,
		"0.000001":                1e-6,
		"1e-7":                    1e-7,
		"1.5e-7":                  1.5e-7,
		"1.234e-4":                0.0001234,
		"-1.25e-10":               -1.25e-10,
	} {
		if got := string(AppendDouble(nil, f)); got != want {
			t.Errorf("%g: got %q, want %q", f, got, want)
		}
	}
}

func FuzzAppendDoubleReadsBack(f *testing.F) {
	for _, bits := range []uint64{0, 1, math.Float64bits(1.5), math.Float64bits(1e300), math.Float64bits(-1e-5)} {
		f.Add(bits)
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		text := string(AppendDouble(nil, v))
		back, err := strconv.ParseFloat(text, 64)
		if err != nil || (back != v && !math.IsNaN(v)) {
			t.Fatalf("%b printed as %q reads back as %b (%v)", v, text, back, err)
		}
	})
}
