package wal_test

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/stable"
	"github.com/quorate/quorate/shardgroup/wal"
)

// journal is a machine that remembers the commands it applied.
type journal struct {
	mu   sync.Mutex
	seen []string
}

func (j *journal) Apply(e *raft.Log) any {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, string(e.Data))
	return nil
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.seen)
}

func (j *journal) Snapshot() (raft.FSMSnapshot, error) { return snapshot(j.all()), nil }

func (j *journal) Restore(r io.ReadCloser) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = nil
	return json.NewDecoder(r).Decode(&j.seen)
}

type snapshot []string

func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := json.NewEncoder(sink).Encode([]string(s)); err != nil {
		return err
	}
	return sink.Close()
}

func (s snapshot) Release() {}

// node runs three single-voter groups over one log and one stable store.
type node struct {
	t      *testing.T
	log    *wal.Log
	stable *stable.Store
	rafts  [3]*raft.Raft
	fsms   [3]*journal
}

func start(t *testing.T, dir string, snapshots []raft.SnapshotStore) *node {
	t.Helper()
	fatal := func(err error) { t.Errorf("fatal: %v", err) }
	n := &node{t: t}
	var err error
	if n.log, err = wal.Open(filepath.Join(dir, "log"), wal.Options{SegmentBytes: 1 << 20, Fatal: fatal}); err != nil {
		t.Fatal(err)
	}
	if n.stable, err = stable.Open(filepath.Join(dir, "stable"), 0, fatal); err != nil {
		t.Fatal(err)
	}
	for i := range n.rafts {
		n.startGroup(i, snapshots[i])
	}
	return n
}

func (n *node) startGroup(i int, snapshots raft.SnapshotStore) {
	id := slot.GroupID(i + 1)
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = "n", hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	c.SnapshotThreshold, c.SnapshotInterval, c.TrailingLogs = 1<<30, time.Hour, 10
	_, trans := raft.NewInmemTransport("n")
	logs, votes := n.log.Group(id), n.stable.ForGroup(id)
	if has, err := raft.HasExistingState(logs, votes, snapshots); err != nil {
		n.t.Fatal(err)
	} else if !has {
		members := raft.Configuration{Servers: []raft.Server{{ID: "n", Address: "n"}}}
		if err := raft.BootstrapCluster(c, logs, votes, snapshots, trans, members); err != nil {
			n.t.Fatal(err)
		}
	}
	n.fsms[i] = new(journal)
	r, err := raft.NewRaft(c, n.fsms[i], logs, votes, snapshots, trans)
	if err != nil {
		n.t.Fatal(err)
	}
	n.rafts[i] = r
	for leader := range r.LeaderCh() {
		if leader {
			break
		}
	}
	if err := r.Barrier(0).Error(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) stop() {
	n.t.Helper()
	for _, r := range n.rafts {
		if err := r.Shutdown().Error(); err != nil {
			n.t.Error(err)
		}
	}
	if err := n.log.Close(); err != nil {
		n.t.Error(err)
	}
	if err := n.stable.Close(); err != nil {
		n.t.Error(err)
	}
}

// TestRaftRestarts runs real hashicorp/raft groups over the log, with snapshots that compact it, through three lives:
// every applied command is there again, in order.
func TestRaftRestarts(t *testing.T) {
	dir := t.TempDir()
	snapshots := []raft.SnapshotStore{raft.NewInmemSnapshotStore(), raft.NewInmemSnapshotStore(), raft.NewInmemSnapshotStore()}
	var want [3][]string
	for life := range 3 {
		n := start(t, dir, snapshots)
		var groups sync.WaitGroup
		for i, r := range n.rafts {
			groups.Go(func() {
				if got := n.fsms[i].all(); !slices.Equal(got, want[i]) {
					t.Errorf("life %d group %d begins with %d commands, want %d", life, i, len(got), len(want[i]))
				}
				for k := range 100 {
					command := fmt.Sprintf("%d/%d/%d", life, i, k)
					if err := r.Apply([]byte(command), 0).Error(); err != nil {
						t.Error(err)
						return
					}
					want[i] = append(want[i], command)
				}
				if life == 1 {
					if err := r.Snapshot().Error(); err != nil {
						t.Error(err)
					}
					if first, err := n.log.Group(slot.GroupID(i + 1)).FirstIndex(); err != nil || first < 100 {
						t.Errorf("first entry %d (%v) after a snapshot that covers more than 200", first, err)
					}
				}
			})
		}
		groups.Wait()
		n.stop()
	}
}
