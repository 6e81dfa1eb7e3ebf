package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/hashicorp/raft"
)

// snapshotPause is the least time between two snapshots that the log's size triggers.
const snapshotPause = time.Second

// noRoomPause is the least time after one for which the disk had no room. Each try fills the disk for a moment, in which the log,
// whose failures are fatal, may need a new file; and until somebody has made room, the next try fails as well.
const noRoomPause = 10 * time.Second

// Snapshot takes a snapshot, when it is this replica's turn, and drops the log behind it. Nothing applied since the start is no error.
func (r *Replica) Snapshot() error {
	if err := r.cfg.Turn.take(r.ctx); err != nil {
		return r.away()
	}
	defer r.cfg.Turn.give()
	return r.snapshot()
}

// snapshot takes one whoever's turn it is.
func (r *Replica) snapshot() error {
	inst := r.current.Load()
	switch {
	case inst == nil:
		return r.away()
	case r.fsm.restoring.Load():
		return fmt.Errorf("take snapshot of group %d: %w", r.cfg.Group, errReceiving)
	}
	start := time.Now()
	was := r.logs.extent()
	_, err := inst.await(inst.raft.Snapshot())
	switch {
	case errors.Is(err, raft.ErrNothingNewToSnapshot):
		return nil // whatever waits in the log stays there
	case err != nil:
		return fmt.Errorf("take snapshot of group %d: %w", r.cfg.Group, err)
	}
	r.taken.Add(1)
	r.cfg.Timers.Snapshot(time.Since(start))
	r.logs.shrink(was)
	return nil
}

// restoreInTurn is called when a snapshot is complete on this node's disk, so that nobody waits for another one's network. Meanwhile the
// transport answers the leader's heartbeats.
func (r *Replica) restoreInTurn(restore func() error) error {
	if err := r.cfg.Restores.take(r.ctx); err != nil {
		return ErrClosed
	}
	defer r.cfg.Restores.give()
	return restore()
}

// enough is how many bytes of log are worth a snapshot: at least as many as the last one had. So to write snapshots costs
// no more than to write the log, however large the state is.
//
// And up to half as many again, by chance: the logs of a group's replicas grow alike, and without it all would write at the same time,
// none being left to commit what comes meanwhile; so would all groups of a node. The chance is a hash, so that it is the same
// for the same history.
func (r *Replica) enough() int64 {
	least := max(r.cfg.SnapshotBytes, r.logs.snapshotSize())
	name := append(make([]byte, 0, 64), r.cfg.Self...)
	name = binary.BigEndian.AppendUint32(name, uint32(r.cfg.Group))
	name = binary.BigEndian.AppendUint64(name, r.logs.snapshotIndex())
	return least + int64(float64(least)/2*float64(xxhash.Sum64(name)>>11)/(1<<53))
}

// logGrown wishes for a snapshot when the log has grown by enough.
func (r *Replica) logGrown(bytes int64) {
	r.transport.logGrown()
	if bytes >= r.enough() {
		r.wishSnapshot()
	}
}

// snapshotOutdated wishes for a snapshot because a follower that needs one has a newer one than the leader's newest. It has come
// to it before a majority lost what it had not synced, and so entries that are the group's no more: one that ends in the
// present leader's term takes it back (see machine.Restore).
func (r *Replica) snapshotOutdated() {
	r.outdated.Store(true)
	r.wishSnapshot()
}

func (r *Replica) wishSnapshot() {
	select {
	case r.full <- struct{}{}:
	default:
	}
}

func (r *Replica) runSnapshots() {
	for {
		select {
		case <-r.full:
		case <-r.ctx.Done():
			return
		}
		var err error
		pause, failures := snapshotPause, r.snapshots.noRoom.Load()
		switch {
		case r.outdated.Swap(false):
			err = r.snapshot() // somebody waits for it
		case r.logs.size() >= r.enough():
			err = r.Snapshot()
		}
		if err != nil && r.ctx.Err() == nil {
			r.cfg.Logger.Warn("snapshot failed; it will be tried again as the log grows", "error", err)
		}
		if r.snapshots.noRoom.Load() > failures { // raft passes on no more than the text of an error
			pause = noRoomPause
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return
		}
	}
}
