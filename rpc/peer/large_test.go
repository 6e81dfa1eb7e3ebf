package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowNet is a network in memory, for bubbles: what all connections send, in both directions, passes one wire of so many bytes a
// second, in turns of at most a packet each.
type slowNet struct {
	rate, packet int
	wire         chan struct{}

	mu        sync.Mutex
	listeners map[string]*slowListener
}

func newSlowNet(rate, packet int) *slowNet {
	return &slowNet{rate: rate, packet: packet, wire: make(chan struct{}, 1), listeners: map[string]*slowListener{}}
}

// on has a node listen on the network and dial there.
func (s *slowNet) on(o *Options) {
	l := &slowListener{addr: slowAddr(o.Self), incoming: make(chan net.Conn), closed: make(chan struct{})}
	s.mu.Lock()
	s.listeners[string(o.Self)] = l
	s.mu.Unlock()
	o.Listener = l
	o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
		s.mu.Lock()
		l := s.listeners[addr]
		s.mu.Unlock()
		near, far := net.Pipe()
		select {
		case l.incoming <- &slowConn{far, s}:
			return &slowConn{near, s}, nil
		case <-l.closed:
		case <-ctx.Done():
		}
		return nil, errors.New("nothing listens there")
	}
}

type slowAddr string

func (slowAddr) Network() string  { return "slow" }
func (a slowAddr) String() string { return string(a) }

type slowListener struct {
	addr     slowAddr
	incoming chan net.Conn
	once     sync.Once
	closed   chan struct{}
}

func (l *slowListener) Addr() net.Addr { return l.addr }

func (l *slowListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *slowListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

type slowConn struct {
	net.Conn
	net *slowNet
}

func (c *slowConn) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(n+c.net.packet, len(p))]
		c.net.wire <- struct{}{}
		time.Sleep(time.Duration(len(part)) * time.Second / time.Duration(c.net.rate))
		<-c.net.wire
		var k int
		k, err = c.Conn.Write(part)
		n += k
	}
	return n, err
}

// slowPair runs a test with two nodes on a slow network, in virtual time.
func slowPair(t *testing.T, rate, packet int, run func(t *testing.T, a, b *testNode)) {
	synctest.Test(t, func(t *testing.T) {
		// Channels of a bubble must not leave it, nor others come in.
		outside := pendings.New
		pendings = sync.Pool{New: outside}
		defer func() { pendings = sync.Pool{New: outside} }()
		n := newSlowNet(rate, packet)
		a, b := pair(t, n.on)
		run(t, a, b)
		a.Close()
		b.Close()
	})
}

// While a large call takes seconds to send, small ones are answered in good time, and it gets through at the first attempt.
func TestLargeCallHoldsUpNobody(t *testing.T) {
	const rate = 1 << 20
	slowPair(t, rate, 1400, func(t *testing.T, a, b *testNode) {
		var arrived atomic.Bool
		large := make(chan error)
		go func() {
			_, err := a.Ask(nil, time.Minute, "b", kindLength, 0, make([]byte, 8*rate), nil)
			arrived.Store(true)
			large <- err
		}()
		synctest.Wait() // it is being written
		beats := 0
		for ; !arrived.Load(); beats++ {
			if _, err := a.Ask(nil, 2*silence, "b", kindEcho, 0, []byte("beat"), nil); err != nil {
				t.Errorf("beat %d: %v", beats, err)
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if err := <-large; err != nil {
			t.Error(err)
		}
		if beats < 50 {
			t.Errorf("only %d beats while a large call was under way", beats)
		}
		if s := a.Stats(); s.Dials != 2 {
			t.Errorf("stats %+v: want a connection for small calls and one for large ones", s)
		}
	})
}

// A call that expires behind writes that go on says nothing about the connection.
func TestSlowIsNotSilent(t *testing.T) {
	slowPair(t, 100<<10, 1400, func(t *testing.T, a, b *testNode) {
		if _, err := a.Call(t.Context(), "b", kindEcho, 0, nil); err != nil {
			t.Fatal(err)
		}
		const ahead = 3
		before, answers := connOf(a, "b"), make(chan error)
		for range ahead {
			go func() {
				_, err := a.Ask(nil, time.Minute, "b", kindWait, 0, make([]byte, largeCall), nil)
				answers <- err
			}()
		}
		synctest.Wait()
		if _, err := a.Ask(nil, 2*silence, "b", kindEcho, 0, nil, nil); !errors.Is(err, ErrNoAnswer) {
			t.Fatalf("a second behind writes of two: %v", err)
		}
		if connOf(a, "b") != before {
			t.Error("the connection was given up in the middle of a write")
		}
		for range ahead {
			b.proceed <- struct{}{}
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
	})
}

// With the connection for small calls goes the one for large calls, whose calls have long deadlines.
func TestSilenceEndsLargeCallsToo(t *testing.T) {
	var lights atomic.Bool
	lights.Store(true)
	a, b := pair(t, func(o *Options) {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			return dark{c, &lights}, nil
		}
	})
	large := make(chan error)
	go func() {
		_, err := a.Ask(nil, time.Minute, "b", kindWait, 0, make([]byte, largeCall+1), nil)
		large <- err
	}()
	<-b.entered
	if _, err := a.Call(long(t), "b", kindEcho, 0, nil); err != nil {
		t.Fatal(err)
	}
	lights.Store(false)
	if _, err := a.Call(within(t, 2*silence), "b", kindEcho, 0, nil); !errors.Is(err, ErrNoAnswer) {
		t.Fatalf("error %v", err)
	}
	if err := <-large; !errors.Is(err, ErrNoAnswer) || !errors.Is(err, errSilent) {
		t.Errorf("the large call: %v", err)
	}
	b.proceed <- struct{}{}
}
