package resp

import (
	"strings"
	"testing"
)

// TestInvalidationsForASlowReader: those who track and do not read are disconnected, and writers never wait for them.
func TestInvalidationsForASlowReader(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.PushBufferLimit = 64 << 10 })
	slow := w.dial(t)
	slow.do("HELLO", "3")
	slow.expect("+OK\r\n", "CLIENT", "TRACKING", "ON", "BCAST")
	c := w.dial(t)
	long := strings.Repeat("k", 16<<10)
	for i := 0; w.srv.stats.outputLimitKills.Load() == 0; i++ {
		if i > 10_000 {
			t.Fatal("the slow reader was never disconnected")
		}
		c.expect("+OK\r\n", "SET", long, "1")
	}
	await(t, "the disconnection", func() bool { return w.srv.conns.count() == 1 })
}

// TestNoLimitOfInvalidations: 0 is no limit, as in Redis.
func TestNoLimitOfInvalidations(t *testing.T) {
	w := newWorld(t, 1)
	c := w.dial(t)
	c.do("HELLO", "3")
	c.expect("+OK\r\n", "CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0")
	c.expect("+OK\r\n", "CLIENT", "TRACKING", "ON", "BCAST")
	w.dial(t).expect("+OK\r\n", "SET", "a", "1")
	if got, want := c.read(), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
