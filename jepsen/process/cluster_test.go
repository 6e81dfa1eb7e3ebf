package process

import (
	"context"
	"strings"
	"testing"
)

// A server that ends at once, here because of a flag that it does not know, is told at once, with the reason that it gave.
func TestAProcessThatEndsAtOnceIsToldAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	binary, err := Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Start(ctx, Options{Binary: binary, Dir: t.TempDir(), Nodes: 2, Port: 21100, Flags: []string{"--no-such-flag"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Without an end of its own: it would wait for ever for what does not come.
	if err := c.WaitReady(ctx); err == nil || !strings.Contains(err.Error(), "ended by itself") || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("got %v", err)
	}
}

func TestPortHint(t *testing.T) {
	for want, c := range map[string]struct {
		log  string
		port int
	}{
		"":               {"no such flag", 30000},
		"below 22748":    {"listen: bind: address already in use", 23001},
		"another --port": {"listen: bind: address already in use", 17501},
	} {
		if got := portHint(c.log, c.port); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q on port %d: %q, want %q", c.log, c.port, got, want)
		}
	}
}
