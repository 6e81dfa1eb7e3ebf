package admission

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// Places are those that there are for connections. Any goroutine may use them.
type Places struct {
	// All is how many there are, Each how many of them one address may have.
	All, Each int

	mu    sync.Mutex
	taken int
	from  map[netip.Addr]int
}

// Enter takes a place for a connection, to be given back by leave, once, or says why there is none.
func (p *Places) Enter(c net.Conn) (leave func(), err error) {
	host := hostOf(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.taken >= p.All:
		return nil, fmt.Errorf("there are %d connections, as many as there may be", p.taken)
	case p.from[host] >= p.Each:
		return nil, fmt.Errorf("there are %d connections from that address, as many as there may be", p.from[host])
	}
	if p.from == nil {
		p.from = map[netip.Addr]int{}
	}
	p.taken++
	p.from[host]++
	return func() { p.leave(host) }, nil
}

func (p *Places) leave(host netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.from[host]--; p.from[host] == 0 {
		delete(p.from, host)
	}
}

// hostOf is where a connection comes from; the zero Addr if that is no TCP address.
func hostOf(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}
