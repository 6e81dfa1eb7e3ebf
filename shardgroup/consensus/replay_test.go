package consensus

import (
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// barred is a log that stops whoever reads one of its entries while there is a bar.
type barred struct {
	*raft.InmemStore
	*barrier
}

type barrier struct {
	at      uint64
	bar     atomic.Pointer[chan struct{}]
	reached atomic.Bool
}

func (b barred) GetLog(index uint64, out *raft.Log) error {
	if bar := b.bar.Load(); bar != nil && index == b.at {
		b.reached.Store(true)
		<-*bar
	}
	return b.InmemStore.GetLog(index, out)
}

// An instance that a guard has started replays what the state machine has applied already. A snapshot that is wished for between
// two batches of that holds all of it, but raft would say that it ends with the first: whoever starts from it would apply the rest twice.
func TestNoSnapshotIsTakenWhileAnInstanceReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &barrier{at: 20}
		c := newCluster(t, 1, func(cfg *Config) { cfg.Logs = barred{cfg.Logs.(*raft.InmemStore), b} })
		n := c.ready()
		for i := range 40 {
			if err := n.propose(fmt.Sprint("item ", i)); err != nil {
				t.Fatal(err)
			}
		}
		n.current.Load().wishRestart("a test")
		c.await("restart", func() bool { return n.restarts.Load() > 0 && n.current.Load() != nil })
		raised := make(chan struct{})
		b.bar.Store(&raised) // the new instance has not led yet, and so has not begun
		c.await("replay up to the bar", b.reached.Load)
		taken := make(chan error, 1)
		go func() { taken <- n.Snapshot() }()
		synctest.Wait()
		b.bar.Store(nil)
		close(raised)
		if err := <-taken; err == nil {
			t.Error("a snapshot was taken in the middle of the replay")
		}
		c.ready()
		if err := n.propose("item 40"); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second start is from a snapshot
			n.close()
			n.fsm = &list{}
			n.open(false)
			c.ready()
			c.agree(41)
			if err := n.Snapshot(); err != nil {
				t.Errorf("after the replay: %v", err)
			}
		}
	})
}

// placed is a state machine that knows its place in the log.
type placed struct {
	raft.FSM
	at uint64
}

func (*placed) Restore(io.ReadCloser) error { return nil }
func (p *placed) Index() uint64             { return p.at }

// A snapshot may end behind the newest entry in it, one that the state machine was not given, but never before.
func TestASnapshotThatHoldsMoreThanItSaysIsFatal(t *testing.T) {
	for at, ok := range map[uint64]bool{4: true, 5: true, 6: false} {
		for _, running := range []bool{false, true} {
			f := newFixture(t, nil)
			m := newMachine(&placed{at: at}, f.logs, func(raft.SnapshotMeta) {}, func(time.Duration) {}, func(time.Duration) {})
			m.running.Store(running)
			err := m.Restore(&snapshotReader{meta: raft.SnapshotMeta{Index: 5, Term: 1}})
			if (err == nil) != ok || (len(f.fatal) == 0) != ok {
				t.Errorf("state at entry %d, running %v: %v, fatal %v", at, running, err, f.fatal)
			}
		}
	}
}
