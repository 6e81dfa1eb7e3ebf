package consensus

import (
	"context"

	"github.com/hashicorp/raft"
)

// Replica is one member of a Raft group. Its methods are safe for concurrent use.
type Replica struct{}

// Open starts a replica: restores the newest snapshot into cfg.FSM, checks that the log continues it, and joins the
// group. It does not wait for a leader.
func Open(cfg Config) (*Replica, error) { panic("contract only") }

// Close stops the replica and waits for its goroutines. Proposals in flight end with ErrUnknown. It does not hand
// leadership over (see Transfer) and closes neither the transport nor the stores.
func (r *Replica) Close() error { panic("contract only") }

// Result is what became of an applied proposal.
type Result struct {
	Index uint64
	// Response is what the state machine returned for it.
	Response any
}

// Propose appends data to the group's log and returns when this node's state machine has applied it. data belongs to
// the replica from then on. A nil error: applied. An error for which NotApplied holds: without effect. Any other
// error is ErrUnknown. It ends by itself: a leader without a quorum steps down within Timing.Lease.
func (r *Replica) Propose(data []byte) (Result, error) { panic("contract only") }

// Leadership is who leads, as this replica knows.
type Leadership struct {
	// Leader is the leading node's ID, "" if none is known.
	Leader string
	Term   uint64
	// Ready says that this replica leads Term and has applied everything that was committed before it.
	Ready bool
}

// Leader returns the present leadership.
func (r *Replica) Leader() Leadership { panic("contract only") }

// Changed returns a channel that is closed when Leader next changes. Take it, then look at Leader, then wait.
func (r *Replica) Changed() <-chan struct{} { panic("contract only") }

// Transfer hands leadership to node to, a voter, and returns when another node leads or an error says why not. The lease
// is dropped first, so until the term ends each read of this leader costs a confirmation.
func (r *Replica) Transfer(ctx context.Context, to string) error { panic("contract only") }

// Members returns the newest configuration in the log, committed or not, and its index.
func (r *Replica) Members() (raft.Configuration, uint64) { panic("contract only") }

// AddVoter, AddNonvoter, Demote and Remove change the configuration by one server. prevIndex is the index of the
// configuration that the change is meant for (from Members); if another has come in between, it fails without effect.
func (r *Replica) AddVoter(id string, prevIndex uint64) error { panic("contract only") }

// AddNonvoter adds a server that receives the log and does not vote. See AddVoter.
func (r *Replica) AddNonvoter(id string, prevIndex uint64) error { panic("contract only") }

// Demote makes a voter a non-voter. See AddVoter.
func (r *Replica) Demote(id string, prevIndex uint64) error { panic("contract only") }

// Remove takes a server out of the group. See AddVoter.
func (r *Replica) Remove(id string, prevIndex uint64) error { panic("contract only") }

// Snapshot takes a snapshot now and drops the log behind it. Nothing new since the last one is no error.
func (r *Replica) Snapshot() error { panic("contract only") }

// Applied is the index of the newest entry that the state machine has applied. Entries that the state machine never
// sees (raft's no-ops and barriers) do not count.
func (r *Replica) Applied() uint64 { panic("contract only") }

// WaitApplied returns when Applied is at least index.
func (r *Replica) WaitApplied(ctx context.Context, index uint64) error { panic("contract only") }

// ReadIndex returns, on the leader, an index such that a state with at least that index applied shows every write
// that was acknowledged before the call: what a follower must wait for before it answers a linearizable read.
func (r *Replica) ReadIndex(ctx context.Context) (uint64, error) { panic("contract only") }

// VotesHeld reports whether this replica still keeps out of elections because it was opened with LostTail.
func (r *Replica) VotesHeld() bool { panic("contract only") }

// ReleaseVotes ends that: the caller has made sure that the replica has caught up with a leader on an entry that was
// proposed after Open, or that so many voters lost their tails that nothing can be caught up with.
func (r *Replica) ReleaseVotes() { panic("contract only") }

// Gate is the replica's read gate.
func (r *Replica) Gate() *Gate { panic("contract only") }

// Stats returns the replica's state for people and metrics.
func (r *Replica) Stats() Stats { panic("contract only") }
