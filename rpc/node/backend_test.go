package node_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
)

// TestStatusTellsOfLoadingAndSnapshots: INFO's loading and LASTSAVE.
func TestStatusTellsOfLoadingAndSnapshots(t *testing.T) {
	dir, port := t.TempDir(), freePorts(t, 3)
	l := openLocal(t, dir, port, nil)
	n := l.Nodes()[0]
	before := n.Status()
	if started := time.Unix(before.LastSnapshot, 0); before.Loading || time.Since(started) > time.Minute {
		t.Errorf("a node that has started is loading: %v, and has saved at %v", before.Loading, started)
	}
	time.Sleep(time.Until(time.Unix(before.LastSnapshot+1, 0)))
	if _, err := snapshots(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if last := n.Status().LastSnapshot; last <= before.LastSnapshot {
		t.Errorf("last snapshot at %d, before it at %d", last, before.LastSnapshot)
	}
	stop(t, l)
	alone := startAlone(t, filepath.Join(dir, "node1"))
	await(t, func() error {
		if !alone.Status().Loading {
			return errors.New("a node without its leaders does not say that it is loading")
		}
		return nil
	})
}

// startAlone starts a node of a cluster whose others are down.
func startAlone(t *testing.T, dir string) *node.Node {
	t.Helper()
	var c config.Config
	config.Flags(pflag.NewFlagSet("test", pflag.ContinueOnError), &c)
	c.DataDir, c.Listen, c.PeerListen, c.HTTPListen = dir, "127.0.0.1:0", "127.0.0.1:0", config.Off
	n, err := node.Start(node.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Kill(); err != nil {
			t.Error(err)
		}
	})
	return n
}
