package client

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// answer serves connections whose every command gets the same reply.
func answer(t *testing.T, reply string) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				for r := bufio.NewReader(nc); ; {
					if _, err := readValue(r, 0); err != nil {
						return
					}
					_, _ = io.WriteString(nc, reply+"\r\n")
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func TestAdminSaysWhatIsWrongWithTheServer(t *testing.T) {
	for name, in := range map[string]struct{ password, reply, want string }{
		"wrong password":      {"x", "-WRONGPASS invalid username-password pair or user is disabled.", "the password is wrong"},
		"no password there":   {"x", "-ERR AUTH <password> called without any password configured for the default user.", "the server has no password"},
		"no password given":   {"", "-NOAUTH Authentication required.", "asks for a password"},
		"another kind server": {"", "-ERR unknown command 'QUORATE'", "no Quorate node"},
	} {
		addr := answer(t, in.reply)
		a, err := NewAdmin(t.Context(), []string{addr}, Options{Password: in.password, Timeout: 5 * time.Second})
		if err == nil {
			_, err = a.Status(t.Context())
			a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), in.want) || strings.Contains(err.Error(), "not sent") {
			t.Errorf("%s: %v, want an error that says %q", name, err, in.want)
		}
	}
}

func TestAdminNamesTheNodesThatDoNotAnswer(t *testing.T) {
	_, err := NewAdmin(t.Context(), []string{"nowhere", "127.0.0.1:1"}, Options{Timeout: 5 * time.Second})
	for _, want := range []string{"nowhere", "127.0.0.1:1", "is the address right"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "not sent") {
			t.Errorf("%v, want an error that says %q", err, want)
		}
	}
}
