package node_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
)

// All nodes of a cluster lose power at once in durability interval. None of them may vote before it has caught up with
// a leader, and without votes there is none: they must find out that they are a majority, and go on.
func TestPowerCutOfAllNodes(t *testing.T) {
	dir, port := t.TempDir(), freePorts(t, 3)
	interval := func(_ int, c *config.Config) { c.Durability = "interval" }
	l := openLocal(t, dir, port, interval)
	write(t, l, 1)
	stop(t, l)
	for i := range 3 {
		node.Overwrite(t, filepath.Join(dir, fmt.Sprintf("node%d", i+1), "stable.db"), "run", `{"boot":"another","lossy":true,"clean":false,"lease":400000000}`)
	}
	l = openLocal(t, dir, port, interval)
	defer stop(t, l)
	write(t, l, 2)
}

func write(t *testing.T, l *node.Local, want int64) {
	t.Helper()
	c := client.NewCluster(l.Addrs(), client.Options{})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range 30 {
		key := fmt.Sprint("key:", i)
		if v, err := c.Do(ctx, key, "INCR", key); err != nil || v.Int != want {
			t.Fatalf("INCR %s gave %d, %v; want %d", key, v.Int, err, want)
		}
	}
}
