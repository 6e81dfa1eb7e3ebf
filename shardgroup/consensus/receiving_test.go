package consensus

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/rpc/raftnet/memnet"
)

// TestAReceiverLeavesTheTurnToOthers: a replica whose main loop is busy with a snapshot that comes in takes none.
func TestAReceiverLeavesTheTurnToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.Turn, cfg.TrailingLogs = NewTurn(), 2 })
		l := c.ready()
		if err := l.propose("x"); err != nil {
			t.Fatal(err)
		}
		c.agree(1)
		late := c.others(l)[0]
		late.isolate()
		for i := range 10 {
			if err := l.propose(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Snapshot(); err != nil {
			t.Fatal(err)
		}
		comes, goes := make(chan struct{}), make(chan struct{})
		c.net.SetTap(func(_ context.Context, m memnet.Message) bool {
			if m.Part {
				close(comes)
				<-goes
			}
			return true
		})
		c.net.HealAll()
		<-comes
		synctest.Wait() // until raft reads it
		taken := make(chan error, 1)
		go func() { taken <- late.Snapshot() }()
		synctest.Wait()
		if len(taken) == 0 {
			t.Error("it has its turn and waits")
		}
		close(goes)
		if err := <-taken; err == nil {
			t.Error("it took a snapshot of what is being replaced")
		}
		c.agree(11)
		if err := late.Snapshot(); err != nil {
			t.Error(err)
		}
	})
}

// TestARestoringReplicaLeavesTheTurnToOthers: so does one that has got it all, and waits for its turn to restore it.
func TestARestoringReplicaLeavesTheTurnToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &crowd{turn: NewTurn()}
		group, late := seen.behind(t, true, nil)
		if err := seen.turn.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		group.net.HealAll()
		group.await("a replica that waits", func() bool { return seen.turn.Waiting() == 1 })
		taken := make(chan error, 1)
		go func() { taken <- late.Snapshot() }()
		synctest.Wait()
		if len(taken) == 0 {
			t.Error("it has its turn and waits")
		}
		seen.turn.give()
		if err := <-taken; err == nil {
			t.Error("it took a snapshot of what is being replaced")
		}
		group.await("an installed snapshot", func() bool { return late.Stats().Installed == 1 })
	})
}
