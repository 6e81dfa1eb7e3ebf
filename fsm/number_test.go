package fsm

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestParseIntIsTheInverseOfPrinting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		if got, ok := parseInt(appendInt(nil, n)); !ok || got != n {
			t.Fatalf("%d became %d, %v", n, got, ok)
		}
		s := rapid.StringMatching(`[-+ 0]?[0-9]{0,22}x?`).Draw(t, "s")
		want, err := strconv.ParseInt(s, 10, 64)
		canonical := err == nil && strconv.FormatInt(want, 10) == s
		if got, ok := parseInt([]byte(s)); ok != canonical || ok && got != want {
			t.Fatalf("%q became %d, %v", s, got, ok)
		}
	})
	for _, n := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
		if got, ok := parseInt(appendInt(nil, n)); !ok || got != n {
			t.Errorf("%d became %d, %v", n, got, ok)
		}
	}
}

// TestParseFloat covers what C's strtold reads and does not; TestSameAsRedis compares sums with Redis.
func TestParseFloat(t *testing.T) {
	for s, want := range map[string]string{
		"1": "1", "-1.50": "-1.5", ".5": "0.5", "5.": "5", "+2": "2", "0x1p4": "16", "0X.8": "0.5", "-0xA": "-10", "1e3": "1000",
		"1E-3": "0.001", "-0": "0", "0e999999999": "0", "3.0e3": "3000", "0.1": "0.1", "1e-18": "0",
	} {
		f, ok := parseFloat([]byte(s))
		if !ok {
			t.Errorf("%q is refused", s)
		} else if got := string(appendFloat(nil, f)); got != want {
			t.Errorf("%q prints as %s, want %s", s, got, want)
		}
	}
	for _, s := range []string{
		"", " 1", "1 ", "nan", "1e", "1e+", "e5", ".", "-", "0x", "0x.p1", "1_0", "0b1", "1p3", "0o7", "1e5000", "-1e5000", "1e-5000", "1e999999999999",
		"--1", "1.2.3", "infinit", "1\x00", "１",
	} {
		if f, ok := parseFloat([]byte(s)); ok {
			t.Errorf("%q reads as %v", s, f)
		}
	}
	for _, s := range []string{"inf", "-INF", "+Infinity"} {
		if f, ok := parseFloat([]byte(s)); !ok || !f.IsInf() {
			t.Errorf("%q reads as %v, %v", s, f, ok)
		}
	}
}

func FuzzParseFloat(f *testing.F) {
	for _, s := range []string{"1", "-0x1.8p-4", "1e4932", "inf", "0.1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := parseFloat(b)
		if !ok || n.IsInf() {
			return
		}
		printed := appendFloat(nil, n)
		again, ok := parseFloat(printed)
		if len(printed) <= maxFloatBytes && (!ok || string(appendFloat(nil, again)) != string(printed)) {
			t.Errorf("%q prints as %q, which does not read back", b, printed)
		}
	})
}

// TestLCSAgainstPlainRecursion compares with the definition.
func TestLCSAgainstPlainRecursion(t *testing.T) {
	var length func(a, b []byte) int
	length = func(a, b []byte) int {
		switch {
		case len(a) == 0 || len(b) == 0:
			return 0
		case a[0] == b[0]:
			return 1 + length(a[1:], b[1:])
		}
		return max(length(a[1:], b), length(a, b[1:]))
	}
	g := rand.New(rand.NewPCG(8, 8))
	random := func() []byte {
		s := make([]byte, g.IntN(9))
		for i := range s {
			s[i] = "abc"[g.IntN(3)]
		}
		return s
	}
	for range 2000 {
		a, b := random(), random()
		table := newLCSTable(a, b, true)
		common, runs := table.walk()
		if n := newLCSTable(a, b, false).length(); n != table.length() {
			t.Fatalf("%q and %q: length %d without rows, %d with them", a, b, n, table.length())
		}
		if want := length(a, b); table.length() != want || len(common) != want {
			t.Fatalf("%q and %q: length %d, common %q; want %d", a, b, table.length(), common, want)
		}
		var joined []byte
		for i := len(runs) - 1; i >= 0; i-- {
			r := runs[i]
			piece := a[r.aFirst : r.aLast+1]
			if !bytes.Equal(piece, b[r.bFirst:r.bLast+1]) {
				t.Fatalf("%q and %q: run %+v does not match", a, b, r)
			}
			joined = append(joined, piece...)
		}
		if !bytes.Equal(joined, common) {
			t.Fatalf("%q and %q: runs give %q, common is %q", a, b, joined, common)
		}
	}
}

func TestLCSIsBounded(t *testing.T) {
	if fitsLCS(maxString, maxString) || fitsLCS(20_000, 20_000) || !fitsLCS(10_000, 10_000) {
		t.Error("the bound of the table is not Redis's 512 MiB")
	}
}

func TestClampRange(t *testing.T) {
	for c, want := range map[[3]int64][2]int64{
		{0, -1, 5}: {0, 5}, {-3, -1, 5}: {2, 5}, {1, 2, 5}: {1, 3}, {3, 1, 5}: {0, 0}, {0, 99, 5}: {0, 5}, {9, 99, 5}: {0, 0},
		{-99, -98, 5}: {0, 1}, {-1, -2, 5}: {0, 0}, {0, -99, 5}: {0, 1}, {0, 0, 0}: {0, 0},
		{math.MinInt64, math.MaxInt64, 5}: {0, 5}, {math.MaxInt64, math.MinInt64, 5}: {0, 0},
	} {
		if from, to := clampRange(c[0], c[1], c[2]); from != want[0] || to != want[1] {
			t.Errorf("%v: [%d, %d), want %v", c, from, to, want)
		}
	}
}

func TestAccessWords(t *testing.T) {
	const day = 86_400_000
	now := int64(20_000) * day
	if got := idleMillis(idleWord(now-12_345), now); got < 12_300 || got > 12_400 {
		t.Errorf("idle %d ms after 12,345", got)
	}
	if got := idleMillis(idleWord(now+1000), now); got != 0 {
		t.Errorf("idle %d ms for a use in the future", got)
	}
	if got := lfuCount(lfuWord(10, now), now+3*msPerMinute); got != 7 {
		t.Errorf("counter %d after 3 idle minutes, want 7", got)
	}
	if got := lfuCount(lfuWord(10, now), now+60*msPerMinute); got != 0 {
		t.Errorf("counter %d after an idle hour", got)
	}
	r := rng(1)
	word := lfuWord(lfuMax, now)
	if got := lfuTouched(word, now, &r); got != word {
		t.Errorf("a full counter changed to %x", got)
	}
}

func TestEvictionPoolKeepsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p evictionPool
		scores := rapid.SliceOfNDistinct(rapid.Uint64(), 1, 60, rapid.ID[uint64]).Draw(t, "scores")
		for i, s := range scores {
			p.offer(s, uint16(i), []byte{byte(i)})
		}
		best := append([]uint64(nil), scores...)
		for range min(poolSize, len(scores)) {
			top := 0
			for i := range best {
				if best[i] > best[top] {
					top = i
				}
			}
			c, ok := p.take()
			if !ok || c.score != best[top] || scores[c.slot] != c.score || c.key[0] != byte(c.slot) {
				t.Fatalf("took %+v, %v; want score %d", c, ok, best[top])
			}
			best = append(best[:top], best[top+1:]...)
		}
		if _, ok := p.take(); ok {
			t.Fatal("the pool holds more than it may")
		}
	})
}
