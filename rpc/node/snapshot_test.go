package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/shardgroup"
)

func TestSnapshotOfEveryReplica(t *testing.T) {
	l, _ := startLocal(t, nil)
	all, err := snapshots(t.Context(), l.Nodes()[0])
	if err != nil || len(all) != 3 {
		t.Fatalf("%d snapshots, %v", len(all), err)
	}
	for _, s := range all {
		if s.Error != "" {
			t.Errorf("node %s: %s", s.Node, s.Error)
		}
	}
}

func snapshots(ctx context.Context, n *node.Node) (all []client.Snapshot, err error) {
	out, err := n.Admin(ctx, []string{"SNAPSHOT", "1"})
	return all, errors.Join(err, json.Unmarshal(out, &all))
}

// TestASnapshotIsNotWaitedForTooLong: at the end of its context, the command that asked for a snapshot says that it is not there yet.
// It is taken all the same, but a stop, which waits for the command, does not take as long.
func TestASnapshotIsNotWaitedForTooLong(t *testing.T) {
	begun, proceed := make(chan struct{}, 10), make(chan struct{})
	l := openLocalOn(t, node.Host{Group: func(c *shardgroup.Config) {
		c.Consensus.Timers.Snapshot = func(time.Duration) {
			begun <- struct{}{}
			<-proceed
		}
	}}, 1, t.TempDir(), freePorts(t, 1), nil)
	t.Cleanup(func() { stop(t, l) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		all, err := snapshots(ctx, l.Nodes()[0])
		if err == nil && all[0].Error == "" {
			err = errors.New("the snapshot is said to be there")
		}
		done <- err
	}()
	<-begun
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the snapshot is waited for")
	}
	close(proceed)
}
