package resp

import (
	"bytes"
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLastRepliesOfAFullSocket: the input and its end come in the same turn, when the client's socket is full. What was collected
// waits for the client, however it was to be sent: soon, as a small reply, or at once, as a large one.
func TestLastRepliesOfAFullSocket(t *testing.T) {
	for name, value := range map[string]int{"small": 10, "large": 2 * maxStaged} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, ioThreads(0))
			text := string(bytes.Repeat([]byte("v"), value))
			w.dial(t).expect("+OK\r\n", "SET", "k", text)
			l, c, theirs := loopOfOne(t, w)
			full := 0
			for err := error(nil); !errors.Is(err, errWouldBlock); {
				var n int
				n, err = socket(c.seat.fd).Write([]byte("........"))
				full += n
			}
			if _, err := unix.Write(theirs, []byte(array("GET", "k"))); err != nil {
				t.Fatal(err)
			}
			if err := unix.Shutdown(theirs, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			turn := func() {
				l.serve([]event{{c.seat.fd, true, true}}, nil)
				for range 3 { // it reads once each
					again := l.again
					l.again = nil
					for _, c := range again {
						l.drive(c)
					}
					l.answer(nil)
				}
				l.sendStaged()
			}
			turn()
			if c.seat.ended {
				t.Fatal("the connection has ended with a reply in it")
			}
			got := drained(t, theirs)
			turn()
			got = append(got, drained(t, theirs)...)
			if want := array(text)[len("*1\r\n"):]; string(got[min(len(got), full):]) != want {
				t.Errorf("got %d bytes behind the %d that filled the socket, want %d", len(got)-full, full, len(want))
			}
			if !c.seat.ended {
				t.Error("the connection has not ended")
			}
		})
	}
}

// loopOfOne returns a loop that does not run, with one connection, and the client's socket.
func loopOfOne(t *testing.T, w *world) (l *loop, c *conn, theirs int) {
	t.Helper()
	l, err := newLoop(w.srv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	if l.ring == nil {
		t.Skip("no io_uring here")
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[1]) })
	pipe, _ := net.Pipe()
	c = newConn(w.srv, pipe)
	c.by, c.wire, c.loop, c.seat.fd = l, socket(fds[0]), l, fds[0]
	l.sit(c)
	return l, c, fds[1]
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
