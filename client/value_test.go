package client

import (
	"bufio"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func read(s string) (Value, error) {
	return readValue(bufio.NewReaderSize(strings.NewReader(s), maxLine), 0)
}

func TestReadValue(t *testing.T) {
	str := func(s string) Value { return Value{Kind: '$', Str: s} }
	num := func(n int64, s string) Value { return Value{Kind: ':', Int: n, Str: s} }
	for in, want := range map[string]Value{
		"+OK\r\n":                            {Kind: '+', Str: "OK"},
		"-ERR no\r\n":                        {Kind: '-', Str: "ERR no"},
		":-12\r\n":                           num(-12, "-12"),
		"$5\r\na\r\nbc\r\n":                  str("a\r\nbc"),
		"$-1\r\n":                            {Kind: '$', Null: true},
		"_\r\n":                              {Kind: '_', Null: true},
		"#t\r\n":                             {Kind: '#', Int: 1, Str: "t"},
		"*2\r\n$1\r\na\r\n:7\r\n":            {Kind: '*', Items: []Value{str("a"), num(7, "7")}},
		"*-1\r\n":                            {Kind: '*', Null: true},
		"%1\r\n$1\r\nk\r\n:1\r\n":            {Kind: '%', Items: []Value{str("k"), num(1, "1")}},
		"=8\r\ntxt:text\r\n":                 {Kind: '=', Str: "text"},
		"|1\r\n+ttl\r\n:3600\r\n$1\r\na\r\n": str("a"),
	} {
		got, err := read(in)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v, want %+v", in, got, err, want)
		}
	}
}

func TestReadValueRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"unknown type":  "?1\r\n",
		"bare newline":  "+OK\n",
		"empty line":    "\r\n",
		"huge bulk":     "$99999999999\r\n",
		"huge array":    "*99999999999\r\n",
		"short bulk":    "$10\r\nabc",
		"too deep":      strings.Repeat("*1\r\n", maxDepth+2),
		"no number":     ":x\r\n",
		"line too long": "+" + strings.Repeat("x", maxLine+1) + "\r\n",
	} {
		if v, err := read(in); err == nil {
			t.Errorf("%s: got %+v, want an error", name, v)
		}
	}
}

func FuzzReadValue(f *testing.F) {
	f.Add("*2\r\n$1\r\na\r\n:7\r\n")
	f.Add("%1\r\n=8\r\ntxt:text\r\n_\r\n")
	f.Fuzz(func(t *testing.T, in string) { read(in) })
}

func TestOutcomeOf(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want Outcome
	}{
		"a reply":                        {nil, Applied},
		"MOVED was not applied":          {&ReplyError{Text: "MOVED 1 a:1"}, NotApplied},
		"an error reply was not applied": {&ReplyError{Text: "ERR syntax error"}, NotApplied},
		"UNCERTAIN is unknown":           {&ReplyError{Text: "UNCERTAIN write may or may not have been applied"}, Unknown},
		"never sent":                     {&NotSentError{Err: errors.New("refused")}, NotApplied},
		"no reply":                       {&NoReplyError{Err: errors.New("timeout")}, Unknown},
	} {
		if got := OutcomeOf(c.err); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestRedirect(t *testing.T) {
	for text, want := range map[string]string{
		"MOVED 3999 127.0.0.1:6381": "127.0.0.1:6381",
		"ASK 3999 :6381":            "10.0.0.9:6381",
		"MOVED 1 [::1]:7":           "[::1]:7",
		"MOVED 1":                   "",
		"MOVED 1 nowhere":           "",
		"ERR no such key":           "",
	} {
		got, _ := redirect(&ReplyError{Text: text}, "10.0.0.9:7001")
		if got != want {
			t.Errorf("%q leads to %q, want %q", text, got, want)
		}
	}
}
