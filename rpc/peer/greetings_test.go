package peer

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// TestOneHostCannotKeepNodesOut: connections that prove nothing, of one host, are refused, counted and logged while the nodes connect.
func TestOneHostCannotKeepNodesOut(t *testing.T) {
	var log bytes.Buffer
	a := listen(t, "a")
	b := listen(t, "b", func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	a.SetAddr("b", b.Addr())
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	for range maxGreeting + 1 {
		c, err := other.Dial("tcp", b.Addr())
		if err != nil {
			t.Skip("no second address: ", err)
		}
		defer c.Close()
	}
	for limit := time.Now().Add(10 * time.Second); b.Stats().Refused == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("none was refused")
		}
	}
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	if n := a.Stats().DialErrors; n > 0 {
		t.Errorf("the other node was refused %d times", n)
	}
	b.Close()
	if text := log.String(); !strings.Contains(text, "shaken hands") || !strings.Contains(text, "127.0.0.2") {
		t.Errorf("logged: %.500s", text)
	}
}
