package resp

import (
	"context"
	"testing"
	"time"
)

// TestDrainSendsClientsElsewhere: after the groups are led by another node, clients hear MOVED until they stop asking, and
// only then is their connection closed.
func TestDrainSendsClientsElsewhere(t *testing.T) {
	w := newWorld(t, 1)
	busy, idle := w.dial(t), w.dial(t)
	busy.expect("+OK\r\n", "SET", key1, "1")
	idle.expect("+PONG\r\n", "PING")
	w.lead(1, "b")
	began := time.Now()
	done := make(chan struct{})
	go func() {
		w.srv.Drain(t.Context())
		close(done)
	}()
	await(t, "the drain", func() bool { return w.srv.drain.began.Load() != 0 })
	// The idle connection is closed; the one that asks goes on all that time and longer.
	closed := make(chan string, 1)
	go func() { closed <- idle.read() }()
	for last := false; !last; {
		select {
		case got := <-closed:
			if last = true; got != "EOF" {
				t.Errorf("idle connection: %q", got)
			}
		default:
		}
		busy.expect("-MOVED 866 10.0.0.2:7000\r\n", "INCR", key1)
	}
	// Others still come with an old map.
	w.dial(t).expect("-MOVED 866 10.0.0.2:7000\r\n", "INCR", key1)
	if got := busy.read(); got != "EOF" {
		t.Errorf("connection that went quiet: %q", got)
	}
	<-done
	if took := time.Since(began); took < drainQuiet+drainLinger {
		t.Errorf("drained after %v", took)
	}
}

// TestDrainAnswersParkedCommands: what waits for a new leader hears of it; a drain is no reason to give up.
func TestDrainAnswersParkedCommands(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.ParkTimeout = patience })
	w.lead(1, "")
	c := w.dial(t)
	c.send(array("INCR", key1))
	awaitParked(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		w.srv.Drain(ctx)
		close(done)
	}()
	await(t, "the drain", func() bool { return w.srv.drain.began.Load() != 0 })
	w.lead(1, "b")
	if got := c.read(); got != "-MOVED 866 10.0.0.2:7000\r\n" {
		t.Errorf("got %q", got)
	}
	cancel()
	<-done
}

func TestDrainOfNobodyIsOver(t *testing.T) {
	w := newWorld(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w.srv.Drain(ctx)
	if ctx.Err() != nil {
		t.Error("nobody is connected, and the drain waited")
	}
	w.dial(t).expect("+PONG\r\n", "PING")
}
