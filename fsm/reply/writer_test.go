package reply

import (
	"math"
	"strings"
	"testing"
)

// Kept out of the table's functions, whose allocations are counted.
var (
	binary = []byte("a\r\n\x00")
	text   = []byte("a\nb")
	word   = []byte("fo\no")
	rest   = [][]byte{[]byte("a"), []byte("b\r")}
)

var replies = map[string]struct {
	write        func(*Writer)
	resp2, resp3 string
}{
	"ok":                      {(*Writer).OK, "+OK\r\n", "+OK\r\n"},
	"simple":                  {func(w *Writer) { w.Simple("PONG") }, "+PONG\r\n", "+PONG\r\n"},
	"simple cannot be forged": {func(w *Writer) { w.Simple("a\r\n+OK") }, "+a  +OK\r\n", "+a  +OK\r\n"},
	"error":                   {func(w *Writer) { w.Error(SyntaxError) }, "-ERR syntax error\r\n", "-ERR syntax error\r\n"},
	"error cannot be forged":  {func(w *Writer) { w.Error("ERR x\r\n+OK\n") }, "-ERR x  +OK \r\n", "-ERR x  +OK \r\n"},
	"int":                     {func(w *Writer) { w.Int(math.MinInt64) }, ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
	"bulk":                    {func(w *Writer) { w.Bulk(binary) }, "$4\r\na\r\n\x00\r\n", "$4\r\na\r\n\x00\r\n"},
	"empty bulk":              {func(w *Writer) { w.Bulk(nil) }, "$0\r\n\r\n", "$0\r\n\r\n"},
	"bulk string":             {func(w *Writer) { w.BulkString("abc") }, "$3\r\nabc\r\n", "$3\r\nabc\r\n"},
	"bulk int":                {func(w *Writer) { w.BulkInt(-12) }, "$3\r\n-12\r\n", "$3\r\n-12\r\n"},
	"null":                    {(*Writer).Null, "$-1\r\n", "_\r\n"},
	"null array":              {(*Writer).NullArray, "*-1\r\n", "_\r\n"},
	"array":                   {func(w *Writer) { w.Array(2) }, "*2\r\n", "*2\r\n"},
	"map":                     {func(w *Writer) { w.Map(3) }, "*6\r\n", "%3\r\n"},
	"set":                     {func(w *Writer) { w.Set(4) }, "*4\r\n", "~4\r\n"},
	"push":                    {func(w *Writer) { w.Push(2) }, "*2\r\n", ">2\r\n"},
	"true":                    {func(w *Writer) { w.Bool(true) }, ":1\r\n", "#t\r\n"},
	"false":                   {func(w *Writer) { w.Bool(false) }, ":0\r\n", "#f\r\n"},
	"double":                  {func(w *Writer) { w.Double(1.5) }, "$3\r\n1.5\r\n", ",1.5\r\n"},
	"verbatim":                {func(w *Writer) { w.Verbatim(text) }, "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"},
	"wrong arity": {
		func(w *Writer) { w.WrongArity("get") },
		"-ERR wrong number of arguments for 'get' command\r\n", "-ERR wrong number of arguments for 'get' command\r\n",
	},
	"invalid expire": {
		func(w *Writer) { w.InvalidExpire("setex") },
		"-ERR invalid expire time in 'setex' command\r\n", "-ERR invalid expire time in 'setex' command\r\n",
	},
	"unknown command": {
		func(w *Writer) { w.UnknownCommand(word, rest) },
		"-ERR unknown command 'fo o', with args beginning with: 'a' 'b ' \r\n",
		"-ERR unknown command 'fo o', with args beginning with: 'a' 'b ' \r\n",
	},
	"unknown subcommand": {
		func(w *Writer) { w.UnknownSubcommand("CLIENT", word) },
		"-ERR unknown subcommand 'fo o'. Try CLIENT HELP.\r\n", "-ERR unknown subcommand 'fo o'. Try CLIENT HELP.\r\n",
	},
	"moved": {func(w *Writer) { w.Moved(16383, "10.0.0.1:7001") }, "-MOVED 16383 10.0.0.1:7001\r\n", "-MOVED 16383 10.0.0.1:7001\r\n"},
	"ask":   {func(w *Writer) { w.Ask(0, ":7001") }, "-ASK 0 :7001\r\n", "-ASK 0 :7001\r\n"},
}

func TestReplies(t *testing.T) {
	for name, r := range replies {
		t.Run(name, func(t *testing.T) {
			for proto, want := range map[int8]string{0: r.resp2, 2: r.resp2, 3: r.resp3} {
				w := Writer{Buf: []byte("before"), Proto: proto}
				r.write(&w)
				if got := string(w.Buf); got != "before"+want {
					t.Errorf("proto %d: got %q, want %q", proto, got, "before"+want)
				}
			}
		})
	}
}

func TestDiscardWritesNothing(t *testing.T) {
	for name, r := range replies {
		for _, proto := range []int8{2, 3} {
			w := Writer{Proto: proto, Discard: true}
			r.write(&w)
			if w.Buf != nil {
				t.Errorf("%s, proto %d: wrote %q", name, proto, w.Buf)
			}
		}
	}
}

func TestRepliesDoNotAllocate(t *testing.T) {
	for name, r := range replies {
		for _, proto := range []int8{2, 3} {
			w := Writer{Buf: make([]byte, 0, 256), Proto: proto}
			if n := testing.AllocsPerRun(100, func() { w.Buf = w.Buf[:0]; r.write(&w) }); n != 0 {
				t.Errorf("%s, proto %d: %v allocations", name, proto, n)
			}
		}
	}
}

func TestUnknownCommandIsClipped(t *testing.T) {
	long := []byte(strings.Repeat("x", 1000))
	var w Writer
	w.UnknownCommand(long, [][]byte{long, long, long})
	if n := strings.Count(string(w.Buf), "x"); n != 2*maxQuoted {
		t.Errorf("%d bytes of the client's repeated, want %d of name and arguments each", n, maxQuoted)
	}
}
