package node_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
)

func TestClientsLeaveFilesForTheNode(t *testing.T) {
	for limit, want := range map[uint64]int{1 << 63: 1<<31 - 1 - 768, 65536: 65536 - 768, 1024: 256, 256: 64, 1: 1} {
		if got := node.ClientsOf(limit); got != want {
			t.Errorf("of %d files: %d clients, want %d", limit, got, want)
		}
	}
}

// TestMaxClientsIsLoweredToTheFiles: as in Redis, the setting tells what holds, and cannot be raised above it.
func TestMaxClientsIsLoweredToTheFiles(t *testing.T) {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if was.Cur < 2000 {
		t.Skipf("only %d files", was.Cur)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 2000, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	}()
	l := openLocalOf(t, 1, t.TempDir(), freePorts(t, 1), func(_ int, c *config.Config) { c.MaxClients = 10000 })
	defer stop(t, l)
	c, err := client.Dial(t.Context(), l.Addrs()[0], client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for want, args := range map[string][]string{
		"1232":                {"CONFIG", "GET", "maxclients"},
		"maxclients:1232\r\n": {"INFO", "clients"},
		"RLIMIT_NOFILE":       {"CONFIG", "SET", "maxclients", "1233"},
	} {
		got, err := c.Do(t.Context(), args...)
		if text := fmt.Sprint(got, err); !strings.Contains(text, want) {
			t.Errorf("%v: %q, want %q", args, text, want)
		}
	}
}
