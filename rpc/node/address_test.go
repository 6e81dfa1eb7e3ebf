package node

import (
	"net"
	"testing"
)

func TestAWildcardIsAnnouncedAsAnAddressOfTheHost(t *testing.T) {
	address := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	loopback, v4, v6, local := address("127.0.0.1/8"), address("10.1.2.3/24"), address("fd00::2/64"), address("fe80::1/64")
	both := []net.Addr{loopback, local, v6, v4}
	for name, in := range map[string]struct {
		listen string
		host   []net.Addr
		want   string
	}{
		"IPv4 wildcard":                 {"0.0.0.0:6379", both, "10.1.2.3:6379"},
		"IPv6 wildcard":                 {"[::]:6379", both, "[fd00::2]:6379"},
		"no host prefers IPv4":          {":6379", both, "10.1.2.3:6379"},
		"no host, IPv6 only":            {":6379", []net.Addr{loopback, v6}, "[fd00::2]:6379"},
		"IPv4 wildcard, IPv6 host":      {"0.0.0.0:6379", []net.Addr{loopback, v6}, ""},
		"nothing but loopback and link": {":6379", []net.Addr{loopback, local}, ""},
	} {
		// Go reports every wildcard but an explicit tcp4 one as [::].
		bound := &net.TCPAddr{IP: net.IPv6unspecified, Port: 6379}
		got, err := reachable(in.listen, bound, func() ([]net.Addr, error) { return in.host, nil })
		if got != in.want || (err == nil) != (in.want != "") {
			t.Errorf("%s: announces %q, %v; want %q", name, got, err, in.want)
		}
	}
	got, err := reachable("127.0.0.1:0", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7}, net.InterfaceAddrs)
	if err != nil || got != "127.0.0.1:7" {
		t.Errorf("a bound address: %q, %v", got, err)
	}
}
