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
