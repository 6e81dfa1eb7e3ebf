package resp

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata; read the difference before you commit it")

// Conversations are in testdata/*.txt:
//
//	% groups 3               a cluster of three groups instead of one; also: % requirepass P, % debug, % nudge
//	@ b                      talk on connection b from here on (made when first used)
//	> GET a                  send a command and read its reply
//	> "raw bytes\r\n"        send these bytes as they are, and read one reply
//	>> GET a                 send without reading
//	? 2                      read two more messages
//	! lead 1 b               node b now leads group 1 ("-" for nobody)
//	< +OK                    what came back, one line per line, \r\n implied
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := converse(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("got\n%s", difference(string(text), got))
			}
		})
	}
}

// difference shows the lines around the first one that differs.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range g {
		if i >= len(w) || w[i] != g[i] {
			return fmt.Sprintf("line %d: %s\nwant: %s", i+1, strings.Join(g[max(0, i-3):min(len(g), i+3)], "\n"), strings.Join(w[max(0, min(i, len(w))-3):min(len(w), i+3)], "\n"))
		}
	}
	return "the end is missing: " + strings.Join(w[len(g):], "\n")
}

// talk is a conversation being held.
type talk struct {
	t      *testing.T
	w      *world
	groups int
	adjust []func(*Config)
	conns  map[string]*client
	now    string
	out    strings.Builder
}

func converse(t *testing.T, text string) string {
	k := &talk{t: t, groups: 1, conns: map[string]*client{}, now: "a"}
	k.adjust = append(k.adjust, func(c *Config) { c.TopologyNudge = false; c.SlowlogSlowerThan = time.Hour })
	defer func() {
		if t.Failed() {
			t.Log("so far:\n" + k.out.String())
		}
	}()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		kind, rest, _ := strings.Cut(line, " ")
		if kind == "<" {
			continue
		}
		k.out.WriteString(line + "\n")
		switch kind {
		case "%":
			k.configure(rest)
		case "@":
			k.now = rest
		case ">", ">>":
			k.conn().send(k.command(rest))
			if kind == ">" {
				k.replies(1)
			}
		case "?":
			n, err := strconv.Atoi(rest)
			if err != nil {
				t.Fatal(err)
			}
			k.replies(n)
		case "!":
			k.act(rest)
		}
	}
	return k.out.String()
}

func (k *talk) configure(line string) {
	name, value, _ := strings.Cut(line, " ")
	switch name {
	case "groups":
		k.groups, _ = strconv.Atoi(value)
	case "requirepass":
		k.adjust = append(k.adjust, func(c *Config) { c.RequirePass = value })
	case "debug":
		k.adjust = append(k.adjust, func(c *Config) { c.EnableDebug = "yes" })
	case "nudge":
		k.adjust = append(k.adjust, func(c *Config) { c.TopologyNudge = true })
	default:
		k.t.Fatalf("unknown setting %q", line)
	}
}

func (k *talk) conn() *client {
	if k.w == nil {
		k.w = newWorld(k.t, k.groups, k.adjust...)
	}
	if k.conns[k.now] == nil {
		k.conns[k.now] = k.w.dial(k.t)
	}
	return k.conns[k.now]
}

func (k *talk) act(line string) {
	k.conn()
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != "lead" {
		k.t.Fatalf("unknown action %q", line)
	}
	g, err := strconv.Atoi(f[1])
	if err != nil {
		k.t.Fatal(err)
	}
	k.w.lead(k.w.m.Groups[g-1].ID, strings.Trim(f[2], "-"))
}

// command turns a line into bytes: words, of which some may be Go strings, or one Go string alone as raw bytes.
func (k *talk) command(line string) string {
	if raw, err := strconv.Unquote(line); err == nil && strings.HasPrefix(line, `"`) {
		return raw
	}
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if q, err := strconv.QuotedPrefix(line); err == nil {
			word, _ := strconv.Unquote(q)
			words, line = append(words, word), line[len(q):]
			continue
		}
		var word string
		word, line, _ = strings.Cut(line, " ")
		words = append(words, word)
	}
	return array(words...)
}

// replies reads n replies and writes them down.
func (k *talk) replies(n int) {
	for range n {
		got := k.conn().read()
		for line := range strings.SplitSeq(strings.TrimSuffix(got, "\r\n"), "\r\n") {
			quoted := strconv.Quote(line)
			k.out.WriteString("< " + strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`) + "\n")
		}
	}
}
