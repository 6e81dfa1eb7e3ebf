package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/consensus/snapfile"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

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

// removeUnfinished removes the snapshots that no process has come to finish, before the logs and the stable store open, which need room
// that those may have taken: a node whose disk they fill could not start any more.
func (s *stores) removeUnfinished() error {
	folders, err := os.ReadDir(filepath.Join(s.dir, "groups"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		snapshots, err := s.folder(filepath.Join("groups", f.Name()))
		if err == nil {
			err = snapfile.RemoveUnfinished(snapshots)
		}
		if err != nil {
			return fmt.Errorf("snapshots of group %s: %w", f.Name(), err)
		}
	}
	return nil
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
