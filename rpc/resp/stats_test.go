package resp

import (
	"strings"
	"testing"
	"time"
)

// TestARunBeginsWithARefusedCommand: its commands are booked from there on, not from when an earlier run began, if there was one.
func TestARunBeginsWithARefusedCommand(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way, func(c *Config) { c.SlowlogSlowerThan = time.Hour })
		c := w.dial(t)
		c.send(array("NOSUCH") + array("SET", "a", "1"))
		if got := c.read(); !strings.HasPrefix(got, "-ERR unknown command") {
			t.Errorf("got %q", got)
		}
		if got := c.read(); got != "+OK\r\n" {
			t.Errorf("got %q", got)
		}
		for _, each := range w.srv.conns.all() {
			if at := time.Unix(0, each.active.Load()); at.Before(each.born.Round(0)) {
				t.Errorf("active at %v, before it was connected", at)
			}
		}
		if n := w.srv.slow.len(); n > 0 {
			t.Errorf("%v took an hour", w.srv.slow.newest(1)[0].words)
		}
	})
}

// TestTheSlowLogQuotesNoEarlierCommand: where the run's first command was refused, what an earlier run was given is not shown as
// the arguments of a later one. Others may be reading into that memory.
func TestTheSlowLogQuotesNoEarlierCommand(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.SlowlogSlowerThan = 0 })
	c := w.dial(t)
	c.expect("$6\r\nsecret\r\n", "ECHO", "secret")
	c.send(array("NOSUCH") + array("PING"))
	c.read()
	c.read()
	if words := w.srv.slow.newest(1)[0].words; len(words) != 1 || words[0] != "ping" {
		t.Errorf("PING is logged as %q", words)
	}
}

// TestTheSlowLogHidesPasswords as Redis's does.
func TestTheSlowLogHidesPasswords(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.SlowlogSlowerThan = 0 })
	c := w.dial(t)
	for _, words := range [][]string{
		{"AUTH", "sesame"}, {"AUTH", "default", "sesame"}, {"HELLO", "2", "SETNAME", "auth", "AUTH", "default", "sesame"},
		{"CONFIG", "SET", "requirepass", "sesame", "maxclients", "100"},
	} {
		c.do(words...)
		logged := w.srv.slow.newest(1)[0].words
		if text := strings.Join(logged, " "); strings.Contains(text, "sesame") || !strings.Contains(text, "(redacted)") || len(logged) < len(words)-1 {
			t.Errorf("%q is logged as %q", words, logged)
		}
	}
}

// TestHitsAndMisses: each key that is looked up counts, as in Redis.
func TestHitsAndMisses(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		w := newRealWorld(t)
		c := w.dial(t)
		c.do("HELLO", proto)
		c.do("SET", "{t}a", "1")
		c.do("MGET", "{t}a", "{t}b", "{t}a", "{t}a")
		c.do("GET", "{t}b")
		c.do("GETEX", "{t}a")
		c.do("GETDEL", "{t}b")
		c.do("GETEX", "{t}a", "NONSENSE")
		if hits, misses := w.srv.stats.hits.Load(), w.srv.stats.misses.Load(); hits != 4 || misses != 3 {
			t.Errorf("protocol %s: %d hits, %d misses", proto, hits, misses)
		}
	}
}
