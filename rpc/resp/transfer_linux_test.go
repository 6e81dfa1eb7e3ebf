package resp

import (
	"bytes"
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/rpc/resp/ring"
)

// TestLastRepliesOfAFullSocket: the input and its end come in the same turn, when the client's socket is full. What was collected
// waits for the client, however it was to be sent: soon, as a small reply, or at once, as a large one.
func TestLastRepliesOfAFullSocket(t *testing.T) {
	withRingAndWithout(t, func(t *testing.T, w *world) {
		for name, value := range map[string]int{"small": 10, "large": 2 * maxStaged} {
			t.Run(name, func(t *testing.T) {
				text := string(bytes.Repeat([]byte("v"), value))
				w.dial(t).expect("+OK\r\n", "SET", "k", text)
				l, c, theirs := loopOfOne(t, w)
				full := 0
				for err := error(nil); !errors.Is(err, errWouldBlock); {
					var n int
					n, err = socket(c.seat.fd).Write([]byte("........"))
					full += n
				}
				transmit(t, theirs, array("GET", "k"))
				if err := unix.Shutdown(theirs, unix.SHUT_WR); err != nil {
					t.Fatal(err)
				}
				turn(l, event{c.seat.fd, true, true})
				if c.seat.ended {
					t.Fatal("the connection has ended with a reply in it")
				}
				got := drained(t, theirs)
				turn(l, event{c.seat.fd, true, true})
				got = append(got, drained(t, theirs)...)
				if want := array(text)[len("*1\r\n"):]; string(got[min(len(got), full):]) != want {
					t.Errorf("got %d bytes behind the %d that filled the socket, want %d", len(got)-full, full, len(want))
				}
				if !c.seat.ended {
					t.Error("the connection has not ended")
				}
			})
		}
	})
}

// withRingAndWithout runs a test of loops that do not run, those that transfer for several connections at once and those that cannot.
func withRingAndWithout(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("io_uring", func(t *testing.T) {
		r, err := ring.New(together)
		if err != nil {
			t.Skip("not here: ", err)
		}
		r.Close()
		test(t, newWorld(t, 1, ioThreads(0)))
	})
	t.Run("epoll alone", func(t *testing.T) { test(t, newWorld(t, 1, ioThreads(0), withoutRing)) })
}

func withoutRing(c *Config) { c.IOUring = false }

// loopOfOne returns a loop that does not run, with one connection, and the client's socket.
func loopOfOne(t *testing.T, w *world) (l *loop, c *conn, theirs int) {
	t.Helper()
	l, err := newLoop(w.srv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	if shared := w.srv.cfg.Load().IOUring; shared != (l.ring != nil) {
		t.Fatalf("io_uring is wanted: %v, the loop's is %v", shared, l.ring)
	}
	c, theirs = l.connected(t)
	return l, c, theirs
}

// connected gives a loop that does not run another connection.
func (l *loop) connected(t *testing.T) (c *conn, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[1]) })
	pipe, _ := net.Pipe()
	c = newConn(l.s, pipe)
	c.by, c.wire, c.loop, c.seat.fd = l, socket(fds[0]), l, fds[0]
	l.sit(c)
	return c, fds[1]
}

// turn is one of a loop that does not run, and what its connections have to read after it.
func turn(l *loop, ready ...event) {
	l.serve(ready, nil)
	for range 3 { // a connection reads once each
		again := l.again
		l.again = nil
		for _, c := range again {
			l.drive(c)
		}
		l.answer(nil)
	}
	l.submit()
	l.sendStaged()
}

// transmit sends to a loop's connection.
func transmit(t *testing.T, theirs int, text string) {
	t.Helper()
	if n, err := unix.Write(theirs, []byte(text)); n != len(text) {
		t.Fatalf("the socket took %d of %d bytes: %v", n, len(text), err)
	}
}

// drained reads what a socket holds.
func drained(t *testing.T, fd int) (got []byte) {
	t.Helper()
	b := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, b)
		switch {
		case n > 0:
			got = append(got, b[:n]...)
		case n == 0 || errors.Is(err, unix.EAGAIN):
			return got
		default:
			t.Fatal(err)
		}
	}
}
