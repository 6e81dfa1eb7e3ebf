package node

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/node/testfaults"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup/consensus/snapfile"
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
		err = s.openStable(fatal)
	}
	if err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	if err = s.openLogs(c, written, fatal); err != nil {
		return nil, errors.Join(err, s.stable.Close(), s.unlock())
	}
	return s, nil
}

func (s *stores) openStable(fatal func(error)) (err error) {
	if s.lock, err = stable.LockDir(s.dir); err != nil {
		return fmt.Errorf("data-dir: %w", err)
	}
	if err = orphaned(s.dir); err != nil {
		return err
	}
	s.stable, err = stable.Open(filepath.Join(s.dir, stableFile), fatal)
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

// groupStores are one Raft replica's.
type groupStores struct {
	logs      raft.LogStore
	stable    raft.StableStore
	snapshots raft.SnapshotStore
	// hadState: an earlier run of the replica may have made promises.
	hadState bool
	// lost: the replica has voted or followed, and neither log nor snapshot is there.
	lost bool
	// lostTail: it may have acknowledged entries that its log lacks now.
	lostTail bool
}

// placementGroup is placement's own Raft group.
const placementGroup slot.GroupID = 0

func (s *stores) group(id slot.GroupID) (groupStores, error) {
	g := groupStores{stable: s.stable.ForGroup(id)}
	var err error
	if id == placementGroup {
		g.logs = s.placement.Group(id)
	} else if g.logs, err = s.log.group(id); err != nil {
		return g, err
	}
	g.lostTail = id != placementGroup && s.stable.LostTail(id)
	term, err := g.stable.GetUint64([]byte("CurrentTerm"))
	if err != nil {
		return g, err
	}
	g.hadState = term > 0
	fs, err := s.snapshots(id)
	if err != nil {
		return g, err
	}
	if g.snapshots, err = snapfile.OpenOn(fs); err != nil {
		return g, err
	}
	if !g.lostTail { // else that may be all there ever was, and the votes are held until the replica has it again
		g.lost, err = lost(g, term)
	}
	return g, err
}

func (s *stores) snapshots(id slot.GroupID) (disk.FS, error) {
	return s.folder("groups/" + strconv.FormatUint(uint64(id), 10))
}

// live makes sure that what is on the disk is of the node's life-th replica of the group: what an earlier one left is deleted,
// but for its vote. No replica of the group may be open. It begins again if a crash cuts it short.
func (s *stores) live(id slot.GroupID, life uint64) error {
	before, err := s.stable.Life(id)
	if err != nil || before == life {
		return err
	}
	if before > life {
		return fmt.Errorf("group %d: this node's replica is its %d. one, the map knows of %d: the data folder was mixed up", id, before+1, life+1)
	}
	if err := s.log.remove(id); err != nil {
		return err
	}
	fs, err := s.snapshots(id)
	if err != nil {
		return err
	}
	names, err := fs.List()
	for _, name := range names {
		err = errors.Join(err, fs.Remove(name))
	}
	if err := errors.Join(err, fs.SyncDir()); err != nil {
		return fmt.Errorf("group %d: remove the snapshots of a replica that has left: %w", id, err)
	}
	s.stable.RemoveGroup(id)
	return s.stable.SetLife(id, life)
}

// lost reports whether a replica that took part in elections has no log and no snapshot. Term 1 is written together with the
// first log entry; a crash between the two is no loss.
func lost(g groupStores, term uint64) (bool, error) {
	last, err := g.logs.LastIndex()
	if err != nil || last > 0 || term <= 1 {
		return false, err
	}
	snapshots, err := g.snapshots.List()
	return len(snapshots) == 0, err
}

// errLost is why a founder without its log may not start: with an empty log it would help to elect a leader that lacks what
// this replica has acknowledged.
var errLost = errors.New("this node has voted, but its log and snapshots are gone, and with them writes that it has acknowledged; " +
	"restore the data folder, or start with an empty one as a new node")

func (s *stores) close() error {
	err := s.log.close()
	if err == nil {
		err = s.stable.EndRun()
	}
	return errors.Join(err, s.placement.Close(), s.stable.Close(), s.unlock())
}
