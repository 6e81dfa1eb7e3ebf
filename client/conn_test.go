package client

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// serveOnce accepts one connection after the other, answers count commands on each and closes it.
func serveOnce(t *testing.T, count int) (addr string, closed <-chan struct{}) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	ended := make(chan struct{}, 16)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(nc)
			for range count {
				if _, err := readValue(r, 0); err != nil {
					break
				}
				_, _ = io.WriteString(nc, "+PONG\r\n")
			}
			nc.Close()
			ended <- struct{}{}
		}
	}()
	return ln.Addr().String(), ended
}

func TestClusterReplacesAConnectionThatTheServerClosed(t *testing.T) {
	addr, closed := serveOnce(t, 2)
	c := NewCluster([]string{addr}, Options{Timeout: 5 * time.Second})
	defer c.Close()
	for i := range c.owner {
		c.owner[i] = addr
	}
	for range 3 {
		for range 2 {
			if v, err := c.Do(t.Context(), "k", "PING"); err != nil || v.Str != "PONG" {
				t.Fatalf("got %+v, %v", v, err)
			}
		}
		<-closed
		awaitGone(t, c.conns[addr])
	}
}

func awaitGone(t *testing.T, c *Conn) {
	for end := time.Now().Add(5 * time.Second); !c.gone(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the closed connection does not look closed")
		}
	}
}
