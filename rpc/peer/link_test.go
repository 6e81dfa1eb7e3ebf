package peer

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
)

// CallAddr brings a connection while an attempt to make one is under way: one of the two stays, the other is closed.
func TestOneOfTwoConnectionsStays(t *testing.T) {
	var dials atomic.Int32
	dialling, proceed := make(chan struct{}), make(chan struct{})
	a, b := pair(t, func(o *Options) {
		if o.Self != "a" {
			return
		}
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			if dials.Add(1) == 1 {
				close(dialling)
				<-proceed
			}
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	})
	called := make(chan error)
	go func() {
		_, err := a.Call(long(t), "b", kindEcho, 0, nil)
		called <- err
	}()
	<-dialling
	if _, _, err := a.CallAddr(long(t), b.Addr(), kindEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	first := connOf(a, "b")
	close(proceed)
	if err := <-called; err != nil {
		t.Error(err)
	}
	if connOf(a, "b") != first || !first.alive() {
		t.Error("a connection that worked was replaced")
	}
	if s := a.Stats(); s.Dials != 2 || s.Connections != 1 {
		t.Errorf("stats %+v: two were dialled, one was to stay", s)
	}
}
