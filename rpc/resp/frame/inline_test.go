package frame

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestInlineWords has what redis-server 7.0 makes of these lines.
func TestInlineWords(t *testing.T) {
	for line, want := range map[string][]string{
		"SET k v":                  {"SET", "k", "v"},
		"  SET\tk \v v\f":          {"SET", "k", "v\f"},
		`SET k "a b"`:              {"SET", "k", "a b"},
		`SET k a"b c"`:             {"SET", "k", "ab c"},
		`SET k ""`:                 {"SET", "k", ""},
		`SET k "\x00\xFf\xg0\x1"`:  {"SET", "k", "\x00\xffxg0x1"},
		`SET k "\n\r\t\a\b\\\"\q"`: {"SET", "k", "\n\r\t\a\b\\\"q"},
		`SET k '\n\x41\'\"'`:       {"SET", "k", `\n\x41'\"`},
		`SET k "a\`:                nil,
		`SET k "a"b`:               nil,
		`SET k 'a'b`:               nil,
		`SET k "a`:                 nil,
		`SET k 'a\'`:               nil,
		"":                         {},
		" \t ":                     {},
	} {
		args, err := Args([]byte(line+"\r\n"), nil)
		if want == nil {
			if err != Error("unbalanced quotes in request") {
				t.Errorf("%q: %q, %v", line, args, err)
			}
			continue
		}
		got := make([]string, 0, len(args))
		for _, a := range args {
			got = append(got, string(a))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
}

// TestInlineTakesLittle: a line of many words is not answered for with memory for each that the line would fit in.
func TestInlineTakesLittle(t *testing.T) {
	line := []byte(strings.Repeat("a ", MaxLine/2) + "\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	args, err := Args(line, nil)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; err != nil || len(args) != MaxLine/2 || took > 8<<20 {
		t.Errorf("%d words, %v: %d bytes", len(args), err, took)
	}
}
