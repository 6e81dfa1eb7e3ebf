package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// TestARestartedInstanceAppliesTwiceWithoutTheGuard is the other half of TestRestartedInstanceAppliesNothingTwice.
func TestARestartedInstanceAppliesTwiceWithoutTheGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.off.Applied = true })
		l := c.ready()
		for i := range 3 {
			if err := l.propose(fmt.Sprint("item ", i)); err != nil {
				t.Fatal(err)
			}
		}
		before := l.restarts.Load()
		l.current.Load().wishRestart("a test")
		c.await("restart", func() bool { return l.restarts.Load() > before && l.current.Load() != nil })
		c.ready()
		c.await("entries that are applied twice", func() bool { return len(l.fsm.items()) > 3 })
	})
}

// restored is a state machine that knows whether it was given a snapshot.
type restored struct {
	raft.FSM
	done bool
}

func (r *restored) Restore(io.ReadCloser) error { r.done = true; return nil }

func TestALateSnapshotIsRefused(t *testing.T) {
	for _, off := range []bool{false, true} {
		fsm := &restored{}
		m := newMachine(fsm, newFixture(t, nil).logs, func(raft.SnapshotMeta) {}, func(time.Duration) {}, func(time.Duration) {})
		m.off.LateSnapshot = off
		refused := uint64(0)
		m.refuse = func(index uint64) { refused = index }
		m.running.Store(true)
		m.applied.Store(10)
		m.term = 1
		err := m.Restore(&snapshotReader{io.NopCloser(bytes.NewReader(nil)), raft.SnapshotMeta{Index: 5, Term: 1}, nil})
		if fsm.done != off || (err == nil) != off || (refused == 5) == off {
			t.Errorf("guard off: %v; restored: %v, refused up to %d, %v", off, fsm.done, refused, err)
		}
	}
}

func TestALogThatDoesNotContinueTheSnapshotGoes(t *testing.T) {
	for _, off := range []bool{false, true} {
		f := newFixture(t, nil, run(1, 4, 1)...)
		f.logs.off.Reconcile = off
		err := f.logs.open(&raft.SnapshotMeta{Index: 9, Term: 2, ConfigurationIndex: 1, Configuration: voting("a")})
		last, lastErr := f.logs.LastIndex()
		if err := errors.Join(err, lastErr); err != nil || (last == 4) != off {
			t.Errorf("guard off: %v; the log ends at %d, %v", off, last, err)
		}
	}
}
