package ops

import (
	"net"
	"sync"

	"github.com/quorate/quorate/rpc/admission"
)

const (
	// MaxConnections bounds the connections to the operator's port.
	MaxConnections = 256
	// maxFromOne bounds those of one address: whoever keeps connections open must not keep Prometheus and probes out.
	maxFromOne = 64
)

// Limit closes connections of ln beyond what there may be as soon as they are accepted: each takes a file descriptor, which the node's log
// may need.
func Limit(ln net.Listener) net.Listener {
	return limited{ln, &admission.Places{All: MaxConnections, Each: maxFromOne}}
}

type limited struct {
	net.Listener
	places *admission.Places
}

func (l limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := l.places.Enter(c)
		if err == nil {
			return &placed{Conn: c, leave: sync.OnceFunc(leave)}, nil
		}
		c.Close()
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
