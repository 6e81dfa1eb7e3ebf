package resp

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

// TestKillingWhileAClientIsAdmitted: until a connection has a driver, nobody finds it, but it has its place.
func TestKillingWhileAClientIsAdmitted(t *testing.T) {
	w := newWorld(t, 1, ioThreads(1), func(c *Config) { c.MaxClients = 1 })
	if p, err := newPoller(); p == nil || err != nil {
		t.Skip("no loops here", err)
	} else {
		p.close()
	}
	await(t, "the loop", func() bool { return w.srv.multiplexing() != "goroutines" })
	far, near := net.Pipe()
	t.Cleanup(func() { near.Close() })
	asked := false
	go w.srv.admit(odd{far, func() {
		asked = true
		w.srv.conns.each((*conn).kill)
		if got := w.dial(t).read(); !strings.HasPrefix(got, "-ERR max number of clients") {
			t.Errorf("a client beyond the limit got %q", got)
		}
	}})
	(&client{t: t, nc: near}).expect("+PONG\r\n", "PING")
	if !asked {
		t.Error("it was never asked for its socket")
	}
}

// odd has no socket, and does something when it is asked for one.
type odd struct {
	net.Conn
	meanwhile func()
}

func (o odd) SyscallConn() (syscall.RawConn, error) {
	o.meanwhile()
	return nil, errors.New("no socket")
}
