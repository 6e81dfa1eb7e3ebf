package shardgroup

import (
	"sync/atomic"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// counters count since Open.
type counters struct {
	entries, ops, calls                 atomic.Uint64
	unknown, rejected                   atomic.Uint64
	evictions                           atomic.Uint64
	fastReads, slowReads, followerReads atomic.Uint64
}

func (c *counters) entry(b *batch) {
	c.entries.Add(1)
	c.ops.Add(uint64(b.ops()))
	c.calls.Add(uint64(b.whole))
}

// Stats is a group's state at one moment. Counters count since Open, on this replica.
type Stats struct {
	Consensus consensus.Stats
	Machine   fsm.Stats
	// Entries were proposed by this replica and applied; Ops and Calls were in them.
	Entries, Ops, Calls uint64
	// Unknown counts entries with an unknown outcome, Rejected calls that were refused or waited too long for a leader.
	Unknown, Rejected uint64
	// Evictions counts keys that this replica, as the leader, chose to evict.
	Evictions uint64
	// FastReads went through the gate at once, SlowReads waited for a confirmation, a leader or the clock, FollowerReads
	// were answered by this replica as a follower. All count calls.
	FastReads, SlowReads, FollowerReads uint64
	// QueueCalls and QueueBytes wait at this moment.
	QueueCalls int
	QueueBytes int64
}

// Stats returns the group's state for people and metrics.
func (g *Group) Stats() Stats {
	calls, bytes := g.queue.load()
	c := &g.stats
	return Stats{
		Consensus: g.replica.Stats(), Machine: g.machine.Stats(),
		Entries: c.entries.Load(), Ops: c.ops.Load(), Calls: c.calls.Load(),
		Unknown: c.unknown.Load(), Rejected: c.rejected.Load(), Evictions: c.evictions.Load(),
		FastReads: c.fastReads.Load(), SlowReads: c.slowReads.Load(), FollowerReads: c.followerReads.Load(),
		QueueCalls: calls, QueueBytes: bytes,
	}
}
