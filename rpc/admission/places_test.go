package admission

import (
	"net"
	"testing"
)

// from is a connection from an address.
type from struct {
	net.Conn
	ip string
}

func (f from) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(f.ip), Port: 1} }

// TestPlacesComeBack, and neither one address nor all together have more than they may.
func TestPlacesComeBack(t *testing.T) {
	p := Places{All: 5, Each: 3}
	enter := func(ip string) func() {
		leave, err := p.Enter(from{ip: ip})
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	for range 2 {
		leave := []func(){enter("10.0.0.1"), enter("::ffff:10.0.0.1"), enter("10.0.0.1")}
		if _, err := p.Enter(from{ip: "10.0.0.1"}); err == nil {
			t.Error("an address has more places than it may")
		}
		leave = append(leave, enter("10.0.0.2"), enter("fd00::1"))
		if _, err := p.Enter(from{ip: "10.0.0.3"}); err == nil {
			t.Error("there are more places than there may be")
		}
		for _, l := range leave {
			l()
		}
	}
	if p.taken != 0 || len(p.from) != 0 {
		t.Errorf("left over: %d, %v", p.taken, p.from)
	}
}
