package frame

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

var open = Limits{Bulk: 512 << 20}

func TestSoundCommands(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want []string
	}{
		"array":                        {"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", []string{"GET", "a"}},
		"empty bulk":                   {"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", []string{"GET", ""}},
		"binary":                       {"*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\x00*\r\n", []string{"ECHO", "\r\n\x00*"}},
		"inline":                       {"GET a\r\n", []string{"GET", "a"}},
		"inline with newline only":     {"PING\n", []string{"PING"}},
		"inline with quotes":           {"SET a \"b c\"\r\n", []string{"SET", "a", "b c"}},
		"empty line is nothing":        {"\r\n", nil},
		"count of zero is nothing":     {"*0\r\n", nil},
		"negative count is nothing":    {"*-1\r\n", nil},
		"more negative count, nothing": {"*-10\r\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var s Scanner
			for cut := range len(tc.in) {
				if n, _, err := s.Next([]byte(tc.in[:cut]), open); n != 0 || err != nil {
					t.Fatalf("after %d bytes: n=%d err=%v", cut, n, err)
				}
			}
			n, _, err := s.Next([]byte(tc.in+"*1\r\n"), open)
			if n != len(tc.in) || err != nil {
				t.Fatalf("n=%d err=%v, want %d", n, err, len(tc.in))
			}
			args, err := Args([]byte(tc.in), nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range args {
				got = append(got, string(a))
			}
			if strings.Join(got, "|") != strings.Join(tc.want, "|") || len(got) != len(tc.want) {
				t.Errorf("args %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRefusedBeforeBuffering(t *testing.T) {
	unauth := Limits{Bulk: 512 << 20, Unauthenticated: true}
	for name, tc := range map[string]struct {
		in   string
		lim  Limits
		want string
	}{
		"count too big":             {"*1048577\r\n", open, "invalid multibulk length"},
		"count not a number":        {"*x\r\n", open, "invalid multibulk length"},
		"count empty":               {"*\r\n", open, "invalid multibulk length"},
		"count with leading zero":   {"*01\r\n", open, "invalid multibulk length"},
		"count overflows":           {"*99999999999999999999\r\n", open, "invalid multibulk length"},
		"count without end":         {"*" + strings.Repeat("1", MaxLine+1), open, "too big mbulk count string"},
		"no dollar":                 {"*1\r\n:1\r\n", open, "expected '$', got ':'"},
		"bulk too big":              {"*1\r\n$536870913\r\n", open, "invalid bulk length"},
		"bulk negative":             {"*1\r\n$-1\r\n", open, "invalid bulk length"},
		"bulk negative, redcon bug": {"*1\r\n$-2\r\n", open, "invalid bulk length"},
		"bulk without end":          {"*1\r\n$" + strings.Repeat("1", MaxLine+1), open, "too big bulk count string"},
		"bulk longer than said":     {"*1\r\n$1\r\nab\r\n", open, "invalid bulk length"},
		"inline too long":           {strings.Repeat("a", MaxLine+1), open, "too big inline request"},
		"tile38":                    {"$4 PING\r\n", open, "expected '*', got '$'"},
		"unauthenticated count":     {"*11\r\n", unauth, "unauthenticated multibulk length"},
		"unauthenticated bulk":      {"*2\r\n$16385\r\n", unauth, "unauthenticated bulk length"},
	} {
		t.Run(name, func(t *testing.T) {
			var s Scanner
			_, _, err := s.Next([]byte(tc.in), tc.lim)
			if err != Error(tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestTooLongIsReadOver: a command with arguments beyond the limit is refused when the first of them begins, and the one behind it is
// found, however the bytes arrive.
func TestTooLongIsReadOver(t *testing.T) {
	long := strings.Repeat("v", 300)
	for name, tc := range map[string]struct {
		in     string
		broken bool
	}{
		"last":               {in: "*2\r\n$3\r\nGET\r\n$300\r\n" + long + "\r\n"},
		"others behind it":   {in: "*4\r\n$3\r\nSET\r\n$300\r\n" + long + "\r\n$0\r\n\r\n$300\r\n" + long + "\r\n"},
		"the name":           {in: "*1\r\n$300\r\n" + long + "\r\n"},
		"longer than said":   {in: "*1\r\n$300\r\n" + long + "v\r\nFLUSHALL\r\n", broken: true},
		"no end of line":     {in: "*1\r\n$300\r\n" + long + "\rFLUSHALL\r\n", broken: true},
		"no dollar behind":   {in: "*2\r\n$300\r\n" + long + "\r\nx", broken: true},
		"too big behind":     {in: "*2\r\n$300\r\n" + long + "\r\n$536870913\r\n", broken: true},
		"no length behind":   {in: "*2\r\n$300\r\n" + long + "\r\n$x\r\n", broken: true},
		"negative behind it": {in: "*2\r\n$300\r\n" + long + "\r\n$-2\r\n", broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range []int{1, 7, 1000} {
				left, err := readOver(t, []byte(tc.in+"PING\r\n"), step)
				if tc.broken {
					if !errors.As(err, new(Error)) {
						t.Errorf("in pieces of %d: %v", step, err)
					}
				} else if err != nil || left != "PING\r\n" {
					t.Errorf("in pieces of %d: %v, left %q", step, err, left)
				}
			}
		})
	}
}

// readOver reads a command that is too long in pieces of step bytes, and returns what is behind it.
func readOver(t *testing.T, in []byte, step int) (left string, err error) {
	t.Helper()
	var s Scanner
	var rest Rest
	start, refused := 0, false
	for have := 0; have < len(in); {
		have = min(len(in), have+step)
		if !refused {
			n, _, err := s.Next(in[start:have], Limits{Bulk: 100})
			var long *TooLong
			switch {
			case n > 0 || err != nil && !errors.As(err, &long):
				t.Fatalf("%d bytes, %v", n, err)
			case err == nil:
				continue
			case long.Bytes != 300 || long.Limit != 100:
				t.Fatalf("%+v", long)
			}
			refused, start, rest = true, start+long.Head, long.Rest
		}
		n, err := rest.Next(in[start:have])
		if start += n; err != nil {
			return "", err
		}
		if rest.Over() {
			return string(in[start:]), nil
		}
	}
	t.Fatal("the end was not found")
	return "", nil
}

func TestUnbalancedQuotes(t *testing.T) {
	if _, err := Args([]byte("SET a \"b\r\n"), nil); err != Error("unbalanced quotes in request") {
		t.Errorf("got %v", err)
	}
}

// TestScansOnce pins that a command in many pieces costs its length, not the square of it.
func TestScansOnce(t *testing.T) {
	var in bytes.Buffer
	in.WriteString("*50000\r\n")
	for range 50000 {
		in.WriteString("$1\r\na\r\n")
	}
	var s Scanner
	before := 0
	for cut := 1; cut < in.Len(); cut += 1000 {
		if _, _, err := s.Next(in.Bytes()[:cut], open); err != nil {
			t.Fatal(err)
		}
		if s.pos < before {
			t.Fatalf("the scanner went back from %d to %d", before, s.pos)
		}
		before = s.pos
	}
	if n, _, err := s.Next(in.Bytes(), open); n != in.Len() || err != nil {
		t.Fatal(n, err)
	}
}

func FuzzNext(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$1\r\na\r\n"), 3)
	f.Add([]byte("*1\r\n$-2\r\n\r\n"), 1)
	f.Add([]byte("SET a \"b\\n\"\r\n"), 5)
	f.Add([]byte("*-1\r\n\r\nPING\r\n"), 2)
	f.Add([]byte("*2\r\n$101\r\n"+strings.Repeat("v", 101)+"\r\n$1\r\na\r\nPING\r\n"), 9)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		whole, wholeErr := split(in, len(in))
		parts, partsErr := split(in, max(1, step))
		if whole != parts || wholeErr != partsErr {
			t.Errorf("in one piece %d %v, in pieces of %d: %d %v", whole, wholeErr, step, parts, partsErr)
		}
	})
}

// split reads commands from in as it arrives in pieces of step bytes; it returns how many it found.
func split(in []byte, step int) (count int, failed bool) {
	var s Scanner
	var rest Rest
	start := 0
	for have := 0; have < len(in); {
		have = min(len(in), have+step)
		for {
			over, err := rest.Next(in[start:have])
			if err != nil {
				return count, true
			}
			if start += over; !rest.Over() {
				break
			}
			n, want, err := s.Next(in[start:have], Limits{Bulk: 100})
			var long *TooLong
			if errors.As(err, &long) {
				start, rest = start+long.Head, long.Rest
				count++
				continue
			}
			if err != nil {
				return count, true
			}
			if n == 0 {
				if want <= have-start && want != 0 {
					panic("the scanner wants no more than it has")
				}
				break
			}
			if _, err := Args(in[start:start+n], nil); err != nil {
				return count, true
			}
			start += n
			count++
		}
	}
	return count, false
}

func BenchmarkNextArgs(b *testing.B) {
	cmd := []byte("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$64\r\n" + strings.Repeat("v", 64) + "\r\n")
	var args [][]byte
	b.ReportAllocs()
	for b.Loop() {
		var s Scanner
		n, _, err := s.Next(cmd, open)
		if err != nil {
			b.Fatal(err)
		}
		if args, err = Args(cmd[:n], args); err != nil {
			b.Fatal(err)
		}
	}
}
