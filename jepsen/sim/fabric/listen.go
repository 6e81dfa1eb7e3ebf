package fabric

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// backlog is how many connections wait to be accepted; more are refused.
const backlog = 128

type listener struct {
	net     *Net
	host    Host
	addr    *net.TCPAddr
	waiting chan *Conn
	closed  chan struct{}
	once    sync.Once
}

// Listen lets clients connect to addr (IP:port) on machine h.
func (n *Net) Listen(h Host, addr string) (net.Listener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &listener{net: n, host: h, addr: tcp, waiting: make(chan *Conn, backlog), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listen[addr] != nil {
		return nil, fmt.Errorf("listen %s: %w", addr, syscall.EADDRINUSE)
	}
	n.listen[addr], n.homes[addr] = l, h
	return l, nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		if l.net.listen[l.addr.String()] == l {
			delete(l.net.listen, l.addr.String())
		}
		l.net.mu.Unlock()
		close(l.closed)
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

// Dial connects from machine h to whoever listens at addr.
func (n *Net) Dial(ctx context.Context, h Host, addr string) (net.Conn, error) {
	n.mu.Lock()
	l, to := n.listen[addr], n.homes[addr]
	n.mu.Unlock()
	if err := n.roundTrip(ctx, h, to); err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
	}
	there, back := newStream(n, h, l.host), newStream(n, l.host, h)
	client := &Conn{in: back, out: there, local: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, remote: l.addr, host: h, far: l.host, net: n}
	server := &Conn{in: there, out: back, local: l.addr, remote: client.local, host: l.host, far: h, net: n}
	n.mu.Lock()
	n.conns = append(n.conns, client, server)
	n.mu.Unlock()
	select {
	case <-l.closed:
	case l.waiting <- server:
		return client, nil
	default:
	}
	n.forget(client)
	n.forget(server)
	return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
}

// roundTrip is the handshake: it waits as long as the link carries nothing.
func (n *Net) roundTrip(ctx context.Context, from, to Host) error {
	for _, hop := range [][2]Host{{from, to}, {to, from}} {
		p := passage{from: hop[0], to: hop[1], class: Clients}
		f := n.draw(p)
		if f.lost {
			f.delay += resend
		}
		timer := time.NewTimer(f.delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		for r := n.obstacle(p); r != nil; r = n.obstacle(p) {
			select {
			case <-r.lifted:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

func (n *Net) obstacle(p passage) *Rule {
	if r := n.blocked(p, Hold); r != nil {
		return r
	}
	return n.blocked(p, Lose)
}

// forget drops a connection that one end has closed.
func (n *Net) forget(c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = slices.DeleteFunc(n.conns, func(x *Conn) bool { return x == c })
}

// Drop takes the node, the listeners and the connections of machine h off the network, as the end of its process does. If
// the whole machine has gone down (silently), the other ends are not told.
func (n *Net) Drop(h Host, silently bool) {
	n.mu.Lock()
	node := n.joined[h]
	delete(n.joined, h)
	var conns []*Conn
	for _, c := range n.conns {
		if c.host == h {
			conns = append(conns, c)
		}
	}
	var open []*listener
	for _, l := range n.listen {
		if l.host == h {
			open = append(open, l)
		}
	}
	n.conns = slices.DeleteFunc(n.conns, func(c *Conn) bool { return c.host == h })
	n.mu.Unlock()
	if node != nil {
		node.Leave()
	}
	for _, l := range open {
		l.Close()
	}
	for _, c := range conns {
		c.reset(!silently)
	}
}
