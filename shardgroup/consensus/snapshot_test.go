package consensus

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func TestSnapshotIsTriggeredByLogBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotBytes, cfg.TrailingLogs = 10_000, 4 })
		l := c.ready()
		for i := range 50 {
			if err := l.propose(fmt.Sprint(i, strings.Repeat("x", 1000))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		c.agree(50)
		for _, n := range c.nodes {
			s := n.Stats()
			if s.Snapshots < 2 || s.LogBytes > s.SnapshotBytes*3/2+1_500 || s.SnapshotIndex == 0 {
				t.Errorf("%s: %d snapshots, the last at %d, %d bytes of log since", n.id, s.Snapshots, s.SnapshotIndex, s.LogBytes)
			}
		}
	})
}

// TestSnapshotsOfReplicasAreApart pins that while one replica writes its snapshot the others mostly do not.
func TestSnapshotsOfReplicasAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotBytes, cfg.TrailingLogs = 20_000, 4 })
		l := c.ready()
		at := map[uint64]map[string]bool{}
		for i := range 300 {
			if err := l.propose(fmt.Sprint(i, strings.Repeat("x", 100))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			for _, n := range c.nodes {
				if index := n.Stats().SnapshotIndex; index > 0 {
					if at[index] == nil {
						at[index] = map[string]bool{}
					}
					at[index][n.id] = true
				}
			}
		}
		together := 0
		for _, nodes := range at {
			if len(nodes) > 1 {
				together++
			}
		}
		if len(at) < 3 || together > len(at)/3 {
			t.Errorf("snapshots at %d entries, %d of them of several replicas", len(at), together)
		}
	})
}

// lengthy takes ten seconds for a snapshot.
type lengthy struct {
	list
	began chan struct{}
}

func (e *lengthy) Snapshot() (raft.FSMSnapshot, error) { return lengthyImage{began: e.began}, nil }

type lengthyImage struct {
	image
	began chan struct{}
}

func (e lengthyImage) Persist(s raft.SnapshotSink) error {
	close(e.began)
	for range 10_000 {
		if _, err := s.Write([]byte("on and on")); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return s.Close()
}

// TestCloseEndsASnapshot pins that nobody waits for a large snapshot to be written.
func TestCloseEndsASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsm := &lengthy{began: make(chan struct{})}
		c := newCluster(t, 1, func(cfg *Config) { cfg.FSM = fsm })
		n := c.ready()
		if err := n.propose("x"); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		replica := n.Replica
		go func() { done <- replica.Snapshot() }()
		<-fsm.began
		n.close()
		if err := <-done; err == nil {
			t.Error("the snapshot was taken to its end")
		}
	})
}

// TestLargeSnapshotsAreRarer pins that snapshots are written at the pace of the log, not each time that a little log has
// come to a large state.
func TestLargeSnapshotsAreRarer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotBytes, cfg.TrailingLogs = 10_000, 4 })
		l := c.ready()
		for i := range 150 {
			if err := l.propose(fmt.Sprint(i, strings.Repeat("x", 1000))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond)
		}
		c.agree(150)
		for _, n := range c.nodes {
			// About 10, 20, 40, 75 and 140 kB, or up to half as many again: all that was proposed is in each of them.
			if s := n.Stats(); s.Snapshots < 3 || s.Snapshots > 5 {
				t.Errorf("%s: %d snapshots, the last at %d, %d bytes of log since", n.id, s.Snapshots, s.SnapshotIndex, s.LogBytes)
			}
		}
		n := c.others(l)[0]
		n.close()
		n.open(false)
		if got := n.Replica.logs.snapshotSize(); got < 70_000 {
			t.Errorf("after a restart the snapshot of 70 kB or more counts %d bytes", got)
		}
	})
}

// TestReopenedLogKeepsItsBytes: a restart in the middle of a snapshot counts anew what is behind the last one; the snapshot that
// ends then must not take off what it covered of the old count, or the next one comes late.
func TestReopenedLogKeepsItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, nil)
		fill := func() {
			for range 10 {
				if err := c.ready().propose(strings.Repeat("x", 100)); err != nil {
					t.Fatal(err)
				}
			}
		}
		fill()
		n := c.ready()
		logs, was := n.Replica.logs, n.Replica.logs.extent()
		inst := n.Replica.current.Load()
		if err := inst.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		inst.wishRestart("test")
		c.await("restart", func() bool { return n.restarts.Load() > 0 && n.current.Load() != nil })
		fill()
		want := logs.size()
		if logs.shrink(was); want < 1000 || logs.size() != want {
			t.Errorf("%d bytes are left of %d", logs.size(), want)
		}
		if err := n.Snapshot(); err != nil || logs.size() != 0 {
			t.Errorf("%d bytes behind a snapshot of all, %v", logs.size(), err)
		}
	})
}

// Right after a start raft takes no snapshot, whatever waits in the log. That stays there, and so has to count.
func TestALogWithoutASnapshotKeepsItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		for range 10 {
			if err := c.ready().propose(strings.Repeat("x", 100)); err != nil {
				t.Fatal(err)
			}
		}
		c.agree(10)
		for _, n := range c.nodes {
			n.close()
		}
		n := c.nodes[0]
		n.open(false) // there is nobody to say what is committed
		want := n.Replica.logs.size()
		err := n.Snapshot()
		if s := n.Stats(); err != nil || s.SnapshotIndex != 0 || want < 1000 || s.LogBytes != want {
			t.Errorf("%d bytes are left of %d, without a snapshot (%d), %v", s.LogBytes, want, s.SnapshotIndex, err)
		}
	})
}

// A snapshot covers what was applied when it was marked, not all that was in the log.
func TestASnapshotCoversWhatIsInIt(t *testing.T) {
	f := newFixture(t, nil, run(1, 9, 1)...)
	each := f.logs.size() / 9
	was := f.logs.extent()
	f.logs.saved(raft.SnapshotMeta{Index: 3, Term: 1})
	if err := f.logs.StoreLogs(run(10, 10, 1)); err != nil {
		t.Fatal(err)
	}
	if f.logs.shrink(was); f.logs.size() != 7*each {
		t.Errorf("%d bytes behind entry 3, want 7 entries of %d", f.logs.size(), each)
	}
	was = f.logs.extent()
	f.logs.saved(raft.SnapshotMeta{Index: 10, Term: 1})
	if f.logs.shrink(was); f.logs.size() != 0 {
		t.Errorf("%d bytes behind a snapshot of all", f.logs.size())
	}
}
