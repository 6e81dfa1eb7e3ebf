package ops

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestConnectionsAreBounded: connections that are only held open are closed beyond a number, and are closed after a while; then others
// get their answer again.
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
	for range MaxConnections {
		dial()
	}
	if _, err := dial().Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("one connection too many: %v, want it to be closed", err)
	}
	held[0].Close()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		resp, err := client.Get("http://" + ln.Addr().String() + "/healthz")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}
