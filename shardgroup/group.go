package shardgroup

import (
	"context"
	"log/slog"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// Peers asks other replicas of a group. rpc/node implements it with internal calls that Group.Serve… answer.
type Peers interface {
	// ReadIndex asks node's replica of group for Group.ReadIndex(fresh).
	ReadIndex(ctx context.Context, node string, group slot.GroupID, fresh bool) (uint64, error)
	// VotesHeld asks node's replica of group for Group.VotesHeld.
	VotesHeld(ctx context.Context, node string, group slot.GroupID) (bool, error)
}

// Config opens a Group.
type Config struct {
	ID      slot.GroupID
	Self    string
	Genesis fsm.Genesis
	// Consensus carries transport, stores, timing and modes. Group, Self, FSM, Logger and Fatal are filled
	// in by Open.
	Consensus consensus.Config
	Limits    Limits
	// Clock is the wall clock in Unix milliseconds; time.Now by default. Tests skew it.
	Clock func() int64
	// Peers may be nil in a group that never reads from followers and was not opened with LostTail.
	Peers  Peers
	Logger *slog.Logger
	// Fatal ends the process: the state can no longer be right. Required.
	Fatal func(error)
}

// Limits bound what a group holds for its callers. Zero values take the defaults.
type Limits struct {
	// EntryBytes is where a batch is closed, 256 KiB by default: larger entries would delay heartbeats. A single op
	// may exceed it, up to OpBytes.
	EntryBytes int
	// OpBytes bounds one op's arguments; 513 MiB by default, so that Redis's largest value fits with its key.
	OpBytes int
	// QueueCalls and QueueBytes bound the calls that wait for a batch or for a leader; 65536 and 1 GiB by default.
	QueueCalls int
	QueueBytes int64
	// Park is how long a call may wait for a leader; 2 s by default, less in tests.
	Park time.Duration
}

// Group is one replica of one shard group. Its methods are safe for concurrent use.
type Group struct{}

// Open restores the replica and joins the group; it does not wait for a leader.
func Open(cfg Config) (*Group, error) { panic("contract only") }

// Close stops accepting calls, ends the waiting ones with ErrNoLeader, lets the batch in flight finish, stops the
// replica and waits for its goroutines. To hand leadership over, call Transfer first.
func (g *Group) Close() error { panic("contract only") }

// Submit hands over a call with writes (and reads that ride along). c.Done is called exactly once.
func (g *Group) Submit(c *Call) { panic("contract only") }

// Read answers a call of reads only, on the caller's goroutine, behind the read gate. It may wait for a leader or a
// confirmation, bounded by Limits.Park. c.Done is not called.
func (g *Group) Read(c *Call) { panic("contract only") }

// ReadFollower answers a call of reads only from this replica, leader or not: after the leader gave a read index, so
// still linearizable, or from the present state if stale is set. c.Done is not called.
func (g *Group) ReadFollower(c *Call, stale bool) { panic("contract only") }

// ReadIndex answers Peers.ReadIndex for another replica. With fresh set, the index is of an entry proposed
// after the call, which no replica can have acknowledged before.
func (g *Group) ReadIndex(ctx context.Context, fresh bool) (uint64, error) { panic("contract only") }

// VotesHeld answers Peers.VotesHeld.
func (g *Group) VotesHeld() bool { panic("contract only") }

// Leader returns who leads the group, as this replica knows. Changed's channel is closed when that next changes.
func (g *Group) Leader() consensus.Leadership { panic("contract only") }

// Changed returns a channel that is closed at the next change of Leader.
func (g *Group) Changed() <-chan struct{} { panic("contract only") }

// Machine is the replica's state, for reads that need no linearizability (statistics, counting keys).
func (g *Group) Machine() *fsm.Machine { panic("contract only") }

// Transfer hands leadership to node to and returns when that has happened or failed.
func (g *Group) Transfer(ctx context.Context, to string) error { panic("contract only") }

// Snapshot takes a snapshot now.
func (g *Group) Snapshot() error { panic("contract only") }

// Replica is the group's consensus replica, for membership changes and statistics.
func (g *Group) Replica() *consensus.Replica { panic("contract only") }
