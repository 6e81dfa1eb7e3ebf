package glob

import (
	"strings"
	"testing"
)

// asRedis holds pattern, string and whether KEYS of redis-server 7.0.15 finds the string.
var asRedis = []struct {
	pattern, s string
	want       bool
}{
	{"*", "", true}, {"", "", true}, {"", "a", false}, {"a", "", false}, {"?", "", false},
	{"*", "abc", true}, {"***", "abc", true}, {"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "abc", true},
	{"a*b", "abc", false}, {"a**c", "ac", true}, {"*b*", "abc", true}, {"*a*b*c*", "xaybzc", true}, {"*a*b*c*", "xaycz", false},
	{"abc", "abc", true}, {"abc", "ABC", false}, {"abc", "abcd", false}, {"abcd", "abc", false}, {"abc*", "abc", true}, {"abc**", "abc", true},
	{"a?c", "abc", true}, {"a?c", "ac", false}, {"???", "abc", true}, {"??", "abc", false}, {"?*", "a", true}, {"*?", "a", true},
	{"h[ae]llo", "hello", true}, {"h[ae]llo", "hillo", false}, {"h[^e]llo", "hallo", true}, {"h[^e]llo", "hello", false},
	{"h[a-b]llo", "hbllo", true}, {"h[b-a]llo", "hallo", true}, {"h[a-b]llo", "hcllo", false},
	{"[]", "a", false}, {"[]", "]", false}, {"[^]", "a", true}, {"[^]x", "ax", true}, {"[", "[", false}, {"[^", "x", true},
	{"[abc", "b", true}, {"[abc", "bx", false}, {"[a-", "-", true}, {"[a-", "a", true}, {"[a-]", "]", true}, {"[a-]", "_", true}, {"[a-]", "-", false},
	{"[\\]]", "]", true}, {"[\\", "\\", true}, {"[a\\-z]", "-", true}, {"[a\\-z]", "b", false}, {"[\\a-z]", "-", true}, {"[\\a-z]", "b", false},
	{"[*]", "*", true}, {"[*]", "x", false}, {"[?]", "?", true}, {"[!a]", "b", false}, {"[!a]", "!", true}, {"[a^]", "^", true},
	{"\\*", "*", true}, {"\\*", "x", false}, {"\\?", "?", true}, {"\\[a]", "[a]", true}, {"\\", "\\", true}, {"\\\\", "\\", true}, {"a\\", "a\\", true}, {"\\a", "a", true},
	{"*\\", "a\\", true}, {"*[a-c]x", "zzbx", true}, {"*[^a]", "aa", false}, {"a*b*c?", "aXbYbZcc", true},
	{"a\xff*", "a\xff\x00\r\n", true}, {"?", "\x00", true}, {"[\x80-\xff]", "\xe9", true}, {"[\x80-\xff]", "a", false},
}

func TestMatch(t *testing.T) {
	for _, c := range asRedis {
		if got := Match([]byte(c.pattern), []byte(c.s)); got != c.want {
			t.Errorf("%q on %q: got %v", c.pattern, c.s, got)
		}
	}
}

func TestMatchFold(t *testing.T) {
	for _, c := range asRedis {
		if c.want && !MatchFold([]byte(c.pattern), []byte(c.s)) {
			t.Errorf("%q on %q matches, but not without regard to case", c.pattern, c.s)
		}
	}
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"MaxMemory*", "maxmemory-policy", true},
		{"max[M]emory", "maxmemory", true},
		{"[A-C]", "b", true},
		{"[a-c]", "B", true},
		{"[Z-a]", "a", false}, // folded to [z-a]
		{"[\\A]", "a", false},
		{"\\A", "a", true},
		{"@", "`", false}, // differ by 0x20 but are no letters
	} {
		if got := MatchFold([]byte(c.pattern), []byte(c.s)); got != c.want {
			t.Errorf("%q on %q: got %v", c.pattern, c.s, got)
		}
	}
}

// TestHostilePatterns takes for ever with a matcher that tries every way to split s among the stars.
func TestHostilePatterns(t *testing.T) {
	as := []byte(strings.Repeat("a", 10_000))
	for _, pattern := range []string{
		strings.Repeat("a*", 1000) + "b",
		strings.Repeat("*a", 1000) + "b",
		strings.Repeat("*?", 1000) + "b",
		strings.Repeat("*[a-z]", 1000) + "b",
		strings.Repeat("*", 10_000) + "b",
	} {
		if Match([]byte(pattern), as) {
			t.Errorf("%.10q… matches", pattern)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	pattern, s := []byte("user:*:[0-9]?\\*"), []byte("user:{1000}:55*")
	if n := testing.AllocsPerRun(100, func() { Match(pattern, s); MatchFold(pattern, s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// naive is the definition: a star takes every possible length.
func naive(pattern, s []byte, fold bool) bool {
	if len(pattern) == 0 {
		return len(s) == 0
	}
	if pattern[0] == '*' {
		return naive(pattern[1:], s, fold) || len(s) > 0 && naive(pattern, s[1:], fold)
	}
	if len(s) == 0 {
		return false
	}
	n, ok := one(pattern, s[0], fold)
	return ok && naive(pattern[n:], s[1:], fold)
}

func FuzzMatch(f *testing.F) {
	for _, c := range asRedis {
		f.Add([]byte(c.pattern), []byte(c.s))
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte) {
		if len(pattern) > 12 || len(s) > 12 {
			Match(pattern, s)
			return // the definition takes exponential time
		}
		for _, fold := range []bool{false, true} {
			if got, want := match(pattern, s, fold), naive(pattern, s, fold); got != want {
				t.Errorf("%q on %q, fold %v: got %v, want %v", pattern, s, fold, got, want)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	pattern, s := []byte("user:*:name"), []byte("user:{123456}:session:name")
	for b.Loop() {
		Match(pattern, s)
	}
}
