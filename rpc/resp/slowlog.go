package resp

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/command"
)

// slowlog keeps the newest slow commands, newest last.
type slowlog struct {
	mu      sync.Mutex
	next    int64
	entries []slowEntry
}

type slowEntry struct {
	id     int64
	at     time.Time
	took   time.Duration
	words  []string
	client string
	name   string
}

// What is kept of a slow command, as in Redis (SLOWLOG_ENTRY_MAX_ARGC, SLOWLOG_ENTRY_MAX_STRING).
const (
	slowWords = 32
	slowBytes = 128
)

// logSlow logs the run's first command. The commands of one run are executed together, so their time cannot be told
// apart; unlike Redis's it includes the wait for a majority.
func (c *conn) logSlow(took time.Duration) {
	for i := range c.run.cmds {
		p := &c.run.cmds[i]
		if p.spec == nil || p.spec.Has(command.SkipSlowlog) {
			continue
		}
		var args [][]byte
		if gc := p.call; gc != inline && p.at < len(c.run.calls[gc].Ops) {
			args = c.run.calls[gc].Ops[p.at].Args
		} else if p.call == inline && i == 0 {
			args = c.ownArgs
		}
		c.s.slow.add(c.s.cfg.Load().SlowlogMaxLen, slowEntry{
			at: time.Now(), took: took, words: slowText(p.spec, withoutSecrets(p.spec, args)), client: c.remote, name: c.label.get(),
		})
		return
	}
}

// withoutSecrets hides what a command says of passwords, as Redis does.
func withoutSecrets(spec *command.Spec, args [][]byte) [][]byte {
	shown := slices.Clone(args)
	hide := func(from, to int) {
		for i := from; i < min(to, len(shown)); i++ {
			shown[i] = []byte("(redacted)")
		}
	}
	switch spec.ID {
	case command.Auth:
		hide(0, len(args))
	case command.Hello:
		for i := 1; i < len(args); i++ {
			switch upper(args[i]) {
			case "SETNAME":
				i++
			case "AUTH":
				hide(i+1, i+3)
				i += 2
			}
		}
	case command.ConfigSet:
		for i := 0; i < len(args); i += 2 {
			if upper(args[i]) == "REQUIREPASS" {
				hide(i+1, i+2)
			}
		}
	}
	return shown
}

func slowText(spec *command.Spec, args [][]byte) []string {
	words := strings.Split(spec.Name, "|")
	for i, a := range args {
		if len(words) == slowWords-1 && i < len(args)-1 {
			return append(words, fmt.Sprintf("... (%d more arguments)", len(args)-i))
		}
		if more := len(a) - slowBytes; more > 0 {
			words = append(words, fmt.Sprintf("%s... (%d more bytes)", a[:slowBytes], more))
			continue
		}
		words = append(words, string(a))
	}
	return words
}

func (l *slowlog) add(most int, e slowEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.id = l.next
	l.next++
	l.entries = append(l.entries, e)
	if over := len(l.entries) - most; over > 0 {
		l.entries = slices.Delete(l.entries, 0, over)
	}
}

func (l *slowlog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

func (l *slowlog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}

// newest lists at most n entries, newest first; all for n < 0.
func (l *slowlog) newest(n int64) []slowEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.entries)
	slices.Reverse(out)
	if n >= 0 && n < int64(len(out)) {
		out = out[:n]
	}
	return out
}

func cmdSlowlogGet(c *conn, args [][]byte) {
	n := int64(10)
	if len(args) > 0 {
		v, err := strconv.ParseInt(string(args[0]), 10, 64)
		if err != nil || v < -1 || len(args) > 1 {
			c.w().Error("ERR count should be greater than or equal to -1")
			return
		}
		n = v
	}
	entries := c.s.slow.newest(n)
	w := c.w()
	w.Array(len(entries))
	for _, e := range entries {
		w.Array(6)
		w.Int(e.id)
		w.Int(e.at.Unix())
		w.Int(e.took.Microseconds())
		w.Array(len(e.words))
		for _, word := range e.words {
			w.BulkString(word)
		}
		w.BulkString(e.client)
		w.BulkString(e.name)
	}
}

func cmdSlowlogLen(c *conn, _ [][]byte) { c.w().Int(int64(c.s.slow.len())) }

func cmdSlowlogReset(c *conn, _ [][]byte) {
	c.s.slow.reset()
	c.w().OK()
}

// upper is a word in capitals, for options.
func upper(b []byte) string { return string(bytes.ToUpper(b)) }
