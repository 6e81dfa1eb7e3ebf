package resp

import (
	"testing"
)

func TestClientPause(t *testing.T) {
	w := newWorld(t, 1)
	admin, c := w.dial(t), w.dial(t)
	admin.expect("+OK\r\n", "CLIENT", "PAUSE", "100000", "WRITE")
	c.expect("$-1\r\n", "GET", "a")
	c.send(array("SET", "a", "1"))
	admin.expect("$-1\r\n", "GET", "a")
	admin.expect("+OK\r\n", "CLIENT", "UNPAUSE")
	if got := c.read(); got != "+OK\r\n" {
		t.Errorf("after the pause: %q", got)
	}
	admin.expect("+OK\r\n", "CLIENT", "PAUSE", "30", "ALL")
	c.expect("$1\r\n1\r\n", "GET", "a")
}

// TestClientsThatGoDuringAPause: a command that waits for the end of a pause is not executed if its client has hung up or was killed,
// and their places are free at once.
func TestClientsThatGoDuringAPause(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		admin, stays := w.dial(t), w.dial(t)
		admin.expect("+OK\r\n", "CLIENT", "PAUSE", "100000", "WRITE")
		stays.send(array("INCR", "n"))
		for range 10 {
			gone := w.dial(t)
			gone.send(array("INCR", "n"))
			gone.nc.Close()
		}
		killed := w.dial(t)
		id := killed.do("CLIENT", "ID")
		killed.send(array("INCR", "n"))
		admin.expect(":1\r\n", "CLIENT", "KILL", "ID", id[1:len(id)-2])
		await(t, "the end of all others", func() bool { return w.srv.conns.count() == 2 })
		admin.expect("+OK\r\n", "CLIENT", "UNPAUSE")
		if got := stays.read(); got != ":1\r\n" {
			t.Errorf("got %q", got)
		}
		admin.expect("$1\r\n1\r\n", "GET", "n")
	})
}

// TestPausesThatEndAtOnce: whoever is held back hears of the end, however short before it.
func TestPausesThatEndAtOnce(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		admin, c := w.dial(t), w.dial(t)
		for range 500 {
			admin.expect("+OK\r\n", "CLIENT", "PAUSE", "100000", "WRITE")
			c.send(array("SET", "a", "1"))
			admin.expect("+OK\r\n", "CLIENT", "UNPAUSE")
			if got := c.read(); got != "+OK\r\n" {
				t.Fatalf("got %q", got)
			}
		}
	})
}

// TestAStopEndsAPause: what was held back is executed and answered.
func TestAStopEndsAPause(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		c := w.dial(t)
		c.expect("+OK\r\n", "CLIENT", "PAUSE", "100000", "WRITE")
		c.send(array("SET", "a", "1"))
		await(t, "the command", func() bool {
			w.srv.pause.mu.Lock()
			defer w.srv.pause.mu.Unlock()
			return len(w.srv.pause.waiting) == 1
		})
		stopped := make(chan error)
		go func() { stopped <- w.srv.Shutdown(t.Context()) }()
		if got := c.read() + c.read(); got != "+OK\r\nEOF" {
			t.Errorf("got %q", got)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}
