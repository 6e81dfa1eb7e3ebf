package node

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/node/testfaults"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup/stable"
	"github.com/quorate/quorate/shardgroup/wal"
	"github.com/quorate/quorate/shardgroup/wal/boltlog"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// stores are a node's files:
//
//	LOCK                 one process per folder
//	stable.db            identity, terms and votes
//	log/                 the log of all groups (log-store wal), or log/group-<group>.bolt (boltdb)
//	groups/<group>/      snapshots of the group; group 0 is placement's
//	placement/           the cached map; placement/log/ is placement's log, synced before each answer in any mode
type stores struct {
	dir       string
	host      Host
	faults    *testfaults.Faults
	lock      *stable.DirLock // nil on a virtual host
	stable    *stable.Store
	log       logStore
	placement *wal.Log
	logger    *slog.Logger // nil: slog.Default
	// hold is for how long from the start on an earlier run's promises may have to be kept.
	hold time.Duration
}

// logStore gives each group its part of the node's log.
type logStore interface {
	group(id slot.GroupID) (raft.LogStore, error)
	// remove durably deletes a group's entries.
	remove(id slot.GroupID) error
	close() error
}

func openStores(c config.Config, h Host, faults *testfaults.Faults, written func(wal.Commit), logger *slog.Logger, fatal func(error)) (s *stores, err error) {
	s = &stores{dir: c.DataDir, host: h, faults: faults, logger: logger}
	if h.Stable != nil {
		s.stable, err = h.Stable(fatal)
	} else {
		err = s.openStable(c.StallTimeout, fatal)
	}
	if err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	if err = s.openLogs(c, written, fatal); err != nil {
		return nil, errors.Join(err, s.stable.Close(), s.unlock())
	}
	return s, nil
}

func (s *stores) openStable(stall time.Duration, fatal func(error)) (err error) {
	if s.lock, err = stable.LockDir(s.dir); err != nil {
		return fmt.Errorf("data-dir: %w", err)
	}
	if err = orphaned(s.dir); err != nil {
		return err
	}
	if err = s.removeUnfinished(); err != nil {
		return err
	}
	s.stable, err = stable.Open(filepath.Join(s.dir, stableFile), stall, fatal)
	return err
}

func (s *stores) unlock() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Unlock()
}

// folder opens a folder within the data folder.
func (s *stores) folder(name string) (disk.FS, error) {
	if s.host.Disk != nil {
		return s.host.Disk(name)
	}
	return s.faults.Open(filepath.Join(s.dir, name))
}

// stableFile is the first file that a new node makes.
const stableFile = "stable.db"

// orphaned is an error if dir holds a node's data without its identity: under a new one, the node would vote again where it
// has voted already, and continue logs that another name has vouched for.
func orphaned(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, stableFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range []string{"log", "groups", "placement"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("data-dir %s: %s is missing, which says who this node is and how it voted, but %s is there: restore the file from a copy made while the node was down, or empty the folder and start as a new node",
				dir, stableFile, name)
		}
	}
	return nil
}

func (s *stores) openLogs(c config.Config, written func(wal.Commit), fatal func(error)) (err error) {
	if err = s.sameKind(c.LogStore); err != nil {
		return err
	}
	if s.hold, err = s.stable.BeginRun(c.Lease, raftnet.MaxLease); err != nil {
		return err
	}
	if s.log, err = s.openLog(c, written, fatal); err != nil {
		return err
	}
	if s.placement, err = s.openWAL("placement/log", wal.Options{
		Durability: wal.Always, SegmentBytes: placementSegment, TailBytes: placementSegment, StallTimeout: c.StallTimeout, Fatal: fatal,
	}); err != nil {
		return errors.Join(err, s.log.close())
	}
	_, shared := s.log.(sharedLog) // the other kind syncs each entry
	if err = s.stable.LogOpened(shared && c.Durability == wal.Interval.String()); err != nil {
		return errors.Join(err, s.log.close(), s.placement.Close())
	}
	return nil
}

// placementSegment is the size of placement's log files and of their memory: its entries are small and few.
const placementSegment = 1 << 20

func (s *stores) openWAL(folder string, o wal.Options) (l *wal.Log, err error) {
	if o.FS, err = s.folder(folder); err != nil {
		return nil, fmt.Errorf("wal: %w", err)
	}
	o.Logger = s.logger
	if s.host.Log != nil {
		s.host.Log(&o)
	}
	return wal.Open(filepath.Join(s.dir, folder), o)
}

func (s *stores) openLog(c config.Config, written func(wal.Commit), fatal func(error)) (logStore, error) {
	if c.LogStore == "boltdb" {
		l, err := boltlog.Open(filepath.Join(c.DataDir, "log"), c.StallTimeout, fatal)
		return boltLog{l}, err
	}
	durability, err := wal.ParseDurability(c.Durability)
	if err != nil {
		return nil, err
	}
	l, err := s.openWAL("log", wal.Options{
		Durability: durability, SyncEvery: c.SyncInterval, SegmentBytes: int64(c.SegmentBytes),
		StallTimeout: c.StallTimeout, Fatal: fatal, Observe: written,
	})
	if err != nil {
		return nil, err
	}
	return sharedLog{l}, nil
}

// sameKind is an error if the folder of the log holds the other kind's. This one would begin empty, and the replicas would vote
// without what they have acknowledged since their last snapshots.
func (s *stores) sameKind(kind string) error {
	folder, err := s.folder("log")
	if err != nil {
		return err
	}
	names, err := folder.List()
	if err != nil {
		return err
	}
	ours, others, other := wal.Owns, boltlog.Owns, "boltdb"
	if kind == other {
		ours, others, other = others, ours, "wal"
	}
	switch {
	case !slices.ContainsFunc(names, others):
		return nil
	case slices.ContainsFunc(names, ours):
		return fmt.Errorf("log-store %s: data-dir %s has logs of both kinds, since an earlier version let it be changed, and neither holds all that this node has acknowledged: empty all of the folder, %s too, and start as a new node",
			kind, s.dir, stableFile)
	}
	return fmt.Errorf("log-store %s: the log in data-dir %s is of log-store %s, and holds what this node has acknowledged: start with %[3]s, or empty all of the folder, %s too, and start as a new node",
		kind, s.dir, other, stableFile)
}

// boltLog is a raft-boltdb file per group.
type boltLog struct{ *boltlog.Log }

func (l boltLog) group(id slot.GroupID) (raft.LogStore, error) { return l.Group(id) }
func (l boltLog) remove(id slot.GroupID) error                 { return l.RemoveGroup(id) }
func (l boltLog) close() error                                 { return l.Close() }

// sharedLog is the node's own log, shared by all groups.
type sharedLog struct{ *wal.Log }

func (l sharedLog) group(id slot.GroupID) (raft.LogStore, error) { return l.Group(id), nil }
func (l sharedLog) remove(id slot.GroupID) error                 { return l.RemoveGroup(id) }
func (l sharedLog) close() error                                 { return l.Close() }

// identity is the node's ID, made at its first start.
func (s *stores) identity() topology.NodeID { return topology.NodeID(s.stable.NodeID()) }

func (s *stores) close() error {
	err := s.log.close()
	if err == nil {
		err = s.stable.EndRun()
	}
	return errors.Join(err, s.placement.Close(), s.stable.Close(), s.unlock())
}
