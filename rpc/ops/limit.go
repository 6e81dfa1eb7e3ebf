package ops

import (
	"net"
	"sync"
)

// MaxConnections bounds the connections to the operator's port.
const MaxConnections = 256

// Limit closes connections of ln beyond MaxConnections as soon as they are accepted: each takes a file descriptor, which the node's log
// may need.
func Limit(ln net.Listener) net.Listener {
	return limited{Listener: ln, places: make(chan struct{}, MaxConnections)}
}

type limited struct {
	net.Listener
	places chan struct{}
}

func (l limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return &placed{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}, nil
		default:
			c.Close()
		}
	}
}

// placed is a connection that has a place.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	defer p.leave()
	return p.Conn.Close()
}
