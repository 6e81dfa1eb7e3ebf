package node_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
)

// A cluster keeps its settings whatever a node is started with. Whoever gives others is told, and how to change them.
func TestSettingsGivenInVainAreNamed(t *testing.T) {
	dir, port := t.TempDir(), freePorts(t, 1)
	warned := func(flags ...string) (lines []string) {
		var c config.Config
		fs := pflag.NewFlagSet(t.Name(), pflag.ContinueOnError)
		config.Flags(fs, &c)
		if err := fs.Parse(flags); err != nil {
			t.Fatal(err)
		}
		c.HTTPListen = config.Off
		var log bytes.Buffer
		l, err := node.StartLocal(node.LocalOptions{
			Options: node.Options{
				Config: c, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
				Fatal: func(err error) { t.Error(err) },
			},
			Dir: dir, Nodes: 1, Port: port,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := l.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		stop(t, l)
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "new clusters") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	if got := warned("--maxmemory=1gb", "--maxmemory-policy=allkeys-lru"); len(got) > 0 {
		t.Errorf("the founder is warned: %q", got)
	}
	if got := warned(); len(got) > 0 {
		t.Errorf("a node to which nothing was given is warned: %q", got)
	}
	got := warned("--maxmemory=2gb", "--maxmemory-policy=allkeys-lru", "--maxmemory-samples=6", "--spread-leaders=false")
	if len(got) != 3 {
		t.Fatalf("%q", got)
	}
	for i, want := range [][]string{
		{"key=maxmemory ", "given=2gb", "cluster=1gb", `"quorate cluster set maxmemory 2gb"`},
		{"key=maxmemory-samples", "given=6", "cluster=5", `"quorate cluster set maxmemory-samples 6"`},
		{"key=spread-leaders", "given=false", "cluster=true", `"quorate cluster set spread-leaders false"`},
	} {
		for _, part := range want {
			if !strings.Contains(got[i], part) {
				t.Errorf("%q does not say %s", got[i], part)
			}
		}
	}
}
