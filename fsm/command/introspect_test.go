package command

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm/reply"
)

// ask answers a full COMMAND line.
func ask(t *testing.T, proto int8, line string) string {
	t.Helper()
	full := words(line)
	s := Find(full)
	w := reply.Writer{Proto: proto}
	Introspect(&w, s.ID, full[s.Words():])
	return string(w.Buf)
}

// TestRepliesAreRedis compares with what redis-server 7.0.15 answered, byte for byte. The file has two lines for each:
// RESP version and command, then the raw reply in quotes.
func TestRepliesAreRedis(t *testing.T) {
	data, err := os.ReadFile("testdata/redis-7.0.15-replies.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i := 0; i < len(lines); i += 2 {
		want, err := strconv.Unquote(lines[i+1])
		if err != nil {
			t.Fatalf("line %d: %v", i+2, err)
		}
		proto, line, _ := strings.Cut(lines[i], " ")
		if got := ask(t, int8(proto[0]-'0'), line); got != want {
			t.Errorf("RESP%s %s:\n got %q\nwant %q", proto, line, got, want)
		}
	}
}

func TestDocsDoNotChangeUnnoticed(t *testing.T) {
	var out strings.Builder
	for _, line := range []string{"COMMAND DOCS set", "COMMAND DOCS mset substr debug", "COMMAND DOCS object", "COMMAND DOCS cluster|migrateslots", "COMMAND HELP"} {
		for _, proto := range []int8{2, 3} {
			fmt.Fprintf(&out, "RESP%d %s\n%s\n", proto, line, strings.ReplaceAll(ask(t, proto, line), "\r\n", "\n"))
		}
	}
	golden(t, "testdata/docs.txt", out.String())
}

// TestRepliesAreWellFormed reads every reply to its end and no further.
func TestRepliesAreWellFormed(t *testing.T) {
	for _, line := range []string{"COMMAND", "COMMAND INFO", "COMMAND DOCS", "COMMAND LIST", "COMMAND COUNT", "COMMAND HELP"} {
		for _, proto := range []int8{2, 3} {
			value, rest := parse(t, []byte(ask(t, proto, line)))
			if len(rest) != 0 {
				t.Errorf("RESP%d %s: %d bytes too many: %.60q", proto, line, len(rest), rest)
			}
			list, _ := value.([]any)
			switch line {
			case "COMMAND", "COMMAND INFO":
				if len(list) != len(table) {
					t.Errorf("%s: %d entries", line, len(list))
				}
				for _, entry := range list {
					if n := len(entry.([]any)); n != 10 {
						t.Errorf("%v: %d elements, clients want 10", entry, n)
					}
				}
			case "COMMAND DOCS":
				if len(list) != 2*len(table) {
					t.Errorf("%s: %d names and docs", line, len(list))
				}
			case "COMMAND LIST":
				if want := len(everySpec()) - len(internal); len(list) != want {
					t.Errorf("%s: %d names, want %d", line, len(list), want)
				}
			case "COMMAND COUNT":
				if value != int64(len(table)) {
					t.Errorf("%s: %v", line, value)
				}
			}
		}
	}
}

func TestListByCategory(t *testing.T) {
	value, _ := parse(t, []byte(ask(t, 2, "COMMAND LIST FILTERBY aclcat Transaction")))
	if got := fmt.Sprint(value); got != "[discard exec multi unwatch watch]" {
		t.Error(got)
	}
}

func TestEveryContainerHasHelp(t *testing.T) {
	for s := range every() {
		if !s.IsContainer() {
			continue
		}
		if s.Sub([]byte("HELP")) == nil {
			t.Errorf("%s has no HELP", s.Name)
		}
		var w reply.Writer
		WriteHelp(&w, s)
		if _, rest := parse(t, w.Buf); len(rest) != 0 {
			t.Errorf("%s HELP: rest %q", s.Name, rest)
		}
		if want := strings.ToUpper(s.Name) + " <subcommand>"; !strings.Contains(string(w.Buf), want) {
			t.Errorf("%s HELP: does not say %q", s.Name, want)
		}
	}
}

// parse reads one reply; maps and sets come as lists.
func parse(t *testing.T, data []byte) (value any, rest []byte) {
	t.Helper()
	line, rest, ok := bytes.Cut(data, []byte("\r\n"))
	if !ok || len(line) == 0 {
		t.Fatalf("no reply in %.40q", data)
	}
	text := string(line[1:])
	n, err := strconv.Atoi(text)
	switch kind := line[0]; {
	case kind == '+' || kind == '-':
		return text, rest
	case kind == '_' && text == "" || kind == '$' && n == -1:
		return nil, rest
	case err != nil:
		t.Fatalf("no number in %q", line)
	case kind == ':':
		return int64(n), rest
	case kind == '$':
		if len(rest) < n+2 || string(rest[n:n+2]) != "\r\n" {
			t.Fatalf("bulk of %d bytes in %.60q", n, rest)
		}
		return string(rest[:n]), rest[n+2:]
	case kind == '%':
		n *= 2
	case kind != '*' && kind != '~':
		t.Fatalf("unknown type in %q", line)
	}
	list := make([]any, n)
	for i := range list {
		list[i], rest = parse(t, rest)
	}
	return list, rest
}
