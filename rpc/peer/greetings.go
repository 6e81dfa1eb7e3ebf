package peer

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
)

const (
	// maxGreeting bounds the connections that have not proved anything yet.
	maxGreeting = 128
	// maxGreetingFrom bounds those of one address, so that no host can keep all nodes out. It leaves room for a whole cluster on one
	// machine, each of its nodes with a connection for calls and some for snapshots.
	maxGreetingFrom = 32
)

// greetings counts the connections that have not proved anything yet.
type greetings struct {
	mu   sync.Mutex
	all  int
	from map[netip.Addr]int
}

// enter takes a place, or says why there is none.
func (g *greetings) enter(from netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.all >= maxGreeting:
		return fmt.Errorf("%d connections have not shaken hands yet, and no more are let in", g.all)
	case g.from[from] >= maxGreetingFrom:
		return fmt.Errorf("%d connections from there have not shaken hands yet, and no more are let in", g.from[from])
	}
	if g.from == nil {
		g.from = map[netip.Addr]int{}
	}
	g.all++
	g.from[from]++
	return nil
}

func (g *greetings) leave(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.from[from]--; g.from[from] == 0 {
		delete(g.from, from)
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
