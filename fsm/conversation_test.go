package fsm_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

var update = flag.Bool("update", false, "write the replies into testdata/conversations; commit them only if you know why they changed")

// TestConversations replays testdata/conversations/*.txt. A line "> COMMAND" is an entry with one command, "read +N >
// COMMAND" a reader whose clock is N ms ahead of the machine's; what follows is the reply. Words may be quoted as in Go.
// Comments may carry a directive:
//
//	# now +N      the leader's clock moves by N ms
//	# proto N     replies are in RESP N
//	# limit BYTES POLICY
//	# multi       the commands up to "# exec" are one transaction
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/conversations/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d conversations, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := &conversation{replica: newReplica(t), proto: 2}
			for _, line := range strings.Split(strings.TrimRight(string(want), "\n"), "\n") {
				c.line(line)
			}
			got := c.out.String()
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("the machine says otherwise (go test ./fsm -run Conversations -update shows it with git diff):\n%s", firstDifference(got, string(want)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: %s\n    want: %s", i+1, g[i], w[i])
		}
	}
	return "one is longer"
}

type conversation struct {
	*replica
	proto int8
	queue *entry.Tx
	out   strings.Builder
}

// line copies what is input to the output and writes replies in place of those that were there.
func (c *conversation) line(line string) {
	switch {
	case line == "" || line[0] == '#':
		c.out.WriteString(line + "\n")
		c.directive(strings.Fields(strings.TrimPrefix(line, "#")))
	case strings.HasPrefix(line, "> "):
		c.out.WriteString(line + "\n")
		op := opOf(c.t, splitWords(c.t, line[2:])...)
		if c.queue != nil {
			c.queue.Ops = append(c.queue.Ops, op)
			return
		}
		c.run(op)
	case strings.HasPrefix(line, "read +"):
		c.out.WriteString(line + "\n")
		ahead, cmd, _ := strings.Cut(line[len("read +"):], " > ")
		n, _ := strconv.ParseInt(ahead, 10, 64)
		w := &reply.Writer{Proto: c.proto}
		op := opOf(c.t, splitWords(c.t, cmd)...)
		if c.m.Read(&op, c.m.Now()+n, w) == fsm.NeedAdvance {
			c.out.WriteString("(needs an advance)\n")
		}
		c.show(w.Buf)
	}
}

func (c *conversation) directive(words []string) {
	if len(words) == 0 {
		return
	}
	switch words[0] {
	case "now":
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			c.t.Fatal(err)
		}
		c.now += n
	case "proto":
		c.proto = int8(words[1][0] - '0')
	case "limit":
		n, _ := strconv.ParseUint(words[1], 10, 64)
		p, err := entry.ParsePolicy(words[2])
		if err != nil {
			c.t.Fatal(err)
		}
		c.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: n, Policy: p, Samples: fsm.DefaultSamples}))
	case "multi":
		c.queue = &entry.Tx{}
	case "exec":
		op := entry.Op{Cmd: command.Exec, Tx: c.queue}
		c.queue = nil
		c.run(op)
	}
}

func (c *conversation) run(op entry.Op) {
	w := &reply.Writer{Proto: c.proto}
	c.apply(w, op)
	c.show(w.Buf)
}

// show writes a reply with its lines as lines, and bytes that are not printable as Go escapes.
func (c *conversation) show(resp []byte) {
	for _, line := range strings.Split(strings.TrimSuffix(string(resp), "\r\n"), "\r\n") {
		quoted := strconv.Quote(line)
		switch {
		case len(resp) == 0:
		case line == "": // as it stands it would be a blank line of the conversation
			c.out.WriteString(quoted + "\n")
		default:
			c.out.WriteString(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`) + "\n")
		}
	}
}

// splitWords splits at spaces; a word in double quotes is a Go string.
func splitWords(t testing.TB, line string) (out []string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			out, line = append(out, word), rest
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		word, _ := strconv.Unquote(quoted)
		out, line = append(out, word), line[len(quoted):]
	}
	return out
}
