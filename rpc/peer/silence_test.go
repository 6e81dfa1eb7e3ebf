package peer

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// dark is a connection that loses everything, both ways, once it is told to: a network that is cut without a reset.
type dark struct {
	net.Conn
	lights *atomic.Bool // false: everything is lost
}

func (d dark) Write(p []byte) (int, error) {
	if !d.lights.Load() {
		return len(p), nil
	}
	return d.Conn.Write(p)
}

func TestSilentConnectionIsReplaced(t *testing.T) {
	var lights atomic.Bool
	lights.Store(true)
	a, _ := pair(t, func(o *Options) {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			return dark{c, &lights}, nil
		}
	})
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	lights.Store(false)
	if _, err := a.Call(within(t, silence/2), "b", kindEcho, 0, nil); !errors.Is(err, ErrNoAnswer) {
		t.Fatalf("error %v", err)
	}
	if connOf(a, "b") == nil {
		t.Error("a short silence cost the connection")
	}
	if _, err := a.Call(within(t, 2*silence), "b", kindEcho, 0, nil); !errors.Is(err, ErrNoAnswer) {
		t.Fatalf("error %v", err)
	}
	lights.Store(true)
	if _, err := a.Call(within(t, 30*time.Second), "b", kindEcho, 0, nil); err != nil {
		t.Errorf("after the silence: %v", err)
	}
	if s := a.Stats(); s.Dials != 2 || s.Unanswered != 2 {
		t.Errorf("stats %+v", s)
	}
}
