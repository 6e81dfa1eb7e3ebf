package node_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/shardgroup"
)

// parking: 0s means that nobody waits for a leader, in the groups too, and not as long as by default. The node starts and serves all the same.
func TestNoParking(t *testing.T) {
	var c config.Config
	config.Flags(pflag.NewFlagSet(t.Name(), pflag.ContinueOnError), &c)
	c.HTTPListen, c.Parking = config.Off, 0
	var park atomic.Int64
	l, err := node.StartLocal(node.LocalOptions{
		Options: node.Options{
			Config: c, Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) },
			Host: node.Host{Group: func(c *shardgroup.Config) { park.Store(int64(c.Limits.Park)) }},
		},
		Dir: t.TempDir(), Nodes: 1, Port: freePorts(t, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	write(t, l, 1)
	if got := time.Duration(park.Load()); got != shardgroup.NoPark {
		t.Errorf("a group's calls wait for %v", got)
	}
}
