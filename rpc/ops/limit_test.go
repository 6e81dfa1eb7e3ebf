package ops

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestConnectionsAreBounded: of the connections that one host only holds open, those beyond a number are closed. Others get their answers, and
// so does that host when it has given one up.
func TestConnectionsAreBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(prometheus.NewGauge(prometheus.GaugeOpts{Name: "x"}), func() error { return nil }, false)
	if s.IdleTimeout == 0 || s.ReadTimeout == 0 {
		t.Error("a connection may be idle, or be sending one request, for ever")
	}
	go s.Serve(Limit(ln))
	defer s.Close()
	var held []net.Conn
	dial := func() net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second)) // less than a connection has for its first request
		return c
	}
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for range maxFromOne {
		dial()
	}
	if _, err := dial().Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("one connection too many: %v, want it to be closed", err)
	}
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	ask(t, ln.Addr(), other.DialContext)
	held[0].Close()
	ask(t, ln.Addr(), nil)
}

// ask waits for an answer.
func ask(t *testing.T, addr net.Addr, dial func(context.Context, string, string) (net.Conn, error)) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		resp, err := client.Get("http://" + addr.String() + "/healthz")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}
