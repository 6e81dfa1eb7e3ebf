package shardgroup

import (
	"context"
	"time"

	"github.com/quorate/quorate/fsm/slot"
)

// Peers asks other replicas of a group.
type Peers interface {
	// ReadIndex asks node's replica of group for Group.ReadIndex(fresh).
	ReadIndex(ctx context.Context, node string, group slot.GroupID, fresh bool) (uint64, error)
	// Standing asks node's replica of group for Group.Standing.
	Standing(ctx context.Context, node string, group slot.GroupID) (Standing, error)
}

// ReadFollower answers a call of reads only from this replica, leader or not: after the leader gave a read index, so
// still linearizable, or from the present state if stale is set. c.Done is not called.
//
// Keys expire here by the clock in the log alone. The leader advances it while keys are due, so a key may be seen for a
// moment longer than on the leader, but never again after it was seen expired.
func (g *Group) ReadFollower(c *Call, stale bool) {
	if !stale && (g.cfg.Peers == nil || g.replica.Leader().Leader == g.cfg.Self) {
		g.Read(c)
		return
	}
	c.begin(time.Now())
	if !stale && !offReadIndex {
		if c.Err = g.CatchUp(); c.Err != nil {
			return
		}
	}
	g.stats.followerReads.Add(1)
	g.read(c, 0, g.clock.wall())
}

// CatchUp waits until this replica has applied what was acknowledged before the call, but not longer than Limits.Park (with NoPark, not for a leader).
func (g *Group) CatchUp() error {
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Limits.patience())
	defer cancel()
	for {
		changed, leader := g.replica.Changed(), g.replica.Leader().Leader
		if leader == "" && g.cfg.Limits.Park == NoPark {
			return ErrNoLeader
		}
		if leader == "" {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return ErrNoLeader
			}
		}
		index, err := g.readIndexFrom(ctx, leader)
		if err == nil {
			err = g.replica.WaitApplied(ctx, index)
		}
		switch {
		case err == nil:
			return nil
		case g.replica.Leader().Leader == leader:
			return &NotLeaderError{Leader: leader} // it can answer better than we can wait
		case ctx.Err() != nil:
			return ErrNoLeader
		}
	}
}

func (g *Group) readIndexFrom(ctx context.Context, leader string) (uint64, error) {
	if leader == g.cfg.Self {
		return g.ReadIndex(ctx, false)
	}
	return g.cfg.Peers.ReadIndex(ctx, leader, g.cfg.ID, false)
}

// ReadIndex answers Peers.ReadIndex for another replica. With fresh set, the index is of an entry proposed
// after the call, which no replica can have acknowledged before.
func (g *Group) ReadIndex(ctx context.Context, fresh bool) (uint64, error) {
	if fresh {
		return g.advance(ctx)
	}
	return g.replica.ReadIndex(ctx)
}
