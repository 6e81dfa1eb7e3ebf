package shardgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/shardgroup/consensus/snapfile"
	"github.com/quorate/quorate/shardgroup/stable"
	"github.com/quorate/quorate/shardgroup/wal"
)

// onDisk gives each run of a node the stores that a server has.
type onDisk struct {
	t    *testing.T
	dir  string
	logs map[string]*wal.Log
	meta map[string]*stable.Store
}

func (d *onDisk) open(n *node, cfg *Config) {
	d.t.Helper()
	dir := filepath.Join(d.dir, n.id)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		d.t.Fatal(err)
	}
	meta, err := stable.Open(filepath.Join(dir, "node.db"), 0, cfg.Fatal)
	if err != nil {
		d.t.Fatal(err)
	}
	log, err := wal.Open(filepath.Join(dir, "log"), wal.Options{SegmentBytes: 64 << 10, Fatal: cfg.Fatal})
	if err != nil {
		d.t.Fatal(err)
	}
	snapshots, err := snapfile.Open(filepath.Join(dir, "snapshots"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.logs[n.id], d.meta[n.id] = log, meta
	c := &cfg.Consensus
	c.Logs, c.Stable, c.Snapshots = log.Group(testGroup), meta.ForGroup(testGroup), snapshots
	c.SnapshotBytes, c.TrailingLogs = 100_000, 8
}

func (d *onDisk) close(n *node) {
	n.close()
	d.closeStores(n.id)
}

func (d *onDisk) closeStores(id string) {
	if err := errors.Join(d.logs[id].Close(), d.meta[id].Close()); err != nil {
		d.t.Error(err)
	}
	delete(d.logs, id)
	delete(d.meta, id)
}

// The whole stack on real files: snapshots by log bytes, a restart of all, and a replica that was away for long.
func TestReplicasOnDiskStartAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &onDisk{t: t, dir: t.TempDir(), logs: map[string]*wal.Log{}, meta: map[string]*stable.Store{}}
		t.Cleanup(func() { // after the cluster's own
			for id := range d.logs {
				d.closeStores(id)
			}
		})
		c := newCluster(t, d.open)
		write := func(round int) {
			l := c.leader()
			for i := range 30 {
				l.submit(fmt.Sprintf("SET k%d:%d %s", round, i, strings.Repeat("v", 5000)), "INCR count").
					want(t, fmt.Sprintf("+OK :%d ", round*30+i+1))
			}
		}
		write(0)
		for _, n := range c.nodes {
			d.close(n)
		}
		for _, n := range c.nodes {
			n.open()
		}
		write(1)
		l := c.leader()
		late := c.others(l)[0]
		d.close(late)
		write(2)
		c.await("a snapshot", func() bool { return l.Stats().Consensus.Snapshots > 0 })
		if err := l.Snapshot(); err != nil {
			t.Fatal(err)
		}
		late.open()
		c.sameDigests()
		c.leader().read("GET count", "DBSIZE").want(t, "$2 90 :91 ")
		if late.Stats().Consensus.Installed == 0 {
			t.Error("no snapshot was installed: the log was not compacted")
		}
	})
}
