package consensus

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
)

// Transport is what a replica needs from its network; *raftnet.Transport implements it. It outlives the raft
// instances that a Replica starts over it; whoever opened it closes it, after Replica.Close.
type Transport interface {
	raft.Transport
	raft.WithPreVote

	// SetVoters says whose acknowledgements count from now on.
	SetVoters(ids []raft.ServerID)
	// SetLastEntry tells how to learn where this replica's log ends, for an election before raft itself has noticed that it needs one.
	SetLastEntry(last func() (term, index uint64, known bool))
	// QuorumSent returns the latest time t such that a quorum of the voters, this node included, has accepted an
	// AppendEntries of term that was sent at or after t; for a sole voter that is the present. It is asked on each read.
	QuorumSent(term uint64) (time.Time, bool)
	// LeaseUntil returns the time before which nobody else can be elected, if this node leads term.
	LeaseUntil(term uint64) (time.Time, bool)
	// Revoke drops the lease for the rest of term.
	Revoke(term uint64)
	// Beat asks one follower to accept a heartbeat of term, which this node must lead, and reports whether it has. False,
	// perhaps at once, if that would make no quorum, or it does not answer within timeout.
	Beat(term uint64, timeout time.Duration) bool
	// AckNotify returns a channel that is closed when the next acknowledgement arrives.
	AckNotify() <-chan struct{}
	// RefuseSnapshot answers the snapshot up to index, which is being installed here, as refused in its leader's term: it is older than
	// what is here. Raft's own answer would be an error among others.
	RefuseSnapshot(index uint64)
	// ReleaseVotes lets a transport that was opened with its votes held back take part in elections.
	ReleaseVotes()
	// VoteFor lets it vote for one candidate, or nobody (""), before that.
	VoteFor(candidate raft.ServerID)
}

// Reads chooses what a leader trusts before it answers a read by itself.
type Reads uint8

const (
	// Lease trusts monotonic clocks to run at the same speed within the transport's drift bound.
	Lease Reads = iota
	// Quorum trusts no clock: each read waits for a round of acknowledgements that began after the read arrived.
	Quorum
)

// Timing is how patient a replica is. Zero values take the defaults; all replicas of a group must use the same.
type Timing struct {
	// Heartbeat is how long a follower waits for its leader before it campaigns; 500 ms by default.
	Heartbeat time.Duration
	// Election is how long a candidate waits for votes; 500 ms by default, at least Heartbeat.
	Election time.Duration
	// Lease is for how long a leader without contact to a quorum goes on before it steps down, and the longest
	// silence of this process that the read gate takes for normal is half of it; 400 ms by default, below Heartbeat.
	Lease time.Duration
	// Commit is how long the leader of an idle group waits before it tells followers the commit index; 50 ms by default.
	Commit time.Duration
}

// succession is how long the others usually take at most to elect a leader when the one to which leadership was handed dies at
// once: the first of them stands after 5/4 of a Heartbeat, each other one a quarter later; then come the votes.
func (t Timing) succession() time.Duration { return 2*t.Heartbeat + t.Election }

// Timers hear how long things took, for metrics. Nil ones are left out; all must return at once.
type Timers struct {
	// Apply: a batch of entries kept the state machine from everything else. Mark: so did the mark of a snapshot. Both are called
	// by the goroutine that applies.
	Apply, Mark func(time.Duration)
	// Snapshot: a snapshot was taken and is durable, and the log behind it is gone.
	Snapshot func(time.Duration)
}

// Config opens a Replica.
type Config struct {
	Group slot.GroupID
	// Self is this node's ID: the raft.ServerID and the raft.ServerAddress of the replica.
	Self string
	// FSM may also be a raft.BatchingFSM and a raft.ConfigurationStore. Its methods are called by one goroutine at a
	// time, over the life of the Replica also by different ones. If it has a method Index() uint64, the last entry that it was
	// given, a snapshot that holds more entries than it says is fatal.
	FSM       raft.FSM
	Transport Transport
	Logs      raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
	// Bootstrap is the first configuration of a new group. It is used only if the stores are empty, and then must be
	// the same on every node that uses it. Nil waits to be added by a leader.
	Bootstrap *raft.Configuration
	Timing    Timing
	Reads     Reads
	// Pulse is shared by the replicas of a process that have the same Timing.Lease; nil: it has one of its own.
	Pulse *Pulse
	// Turn is shared by the replicas of a process, which write their snapshots in turn; nil: this one does whenever it wants. Each
	// keeps its state as it was for a fraction of the time only then, and what is written to meanwhile is there twice.
	Turn *Turn
	// Restores is another one, for restoring the snapshots that leaders have sent: the old state stays until the new one is complete. A
	// node that comes back when all of its groups' leaders have dropped the log that it lacks would take twice its memory. It can't
	// be Turn: whoever writes a snapshot needs the goroutine that restores to mark the state.
	Restores *Turn
	// SnapshotBytes of log since the last snapshot trigger the next one, if that has no more bytes itself, or up to half as
	// many again; 64 MiB by default.
	SnapshotBytes int64
	// TrailingLogs entries stay in the log behind a snapshot for followers that are a little late; 4096 by default.
	TrailingLogs uint64
	// Ahead sends what ProposeAhead is given to the followers while Logs still writes it. It pays if StoreLogs waits for a disk.
	Ahead bool
	// LostTail says that the log may have lost entries that this replica had acknowledged (durability interval, after
	// a power cut). The transport must have been opened with its votes held; see Replica.VotesHeld.
	LostTail bool
	// Timers are told how long things take.
	Timers Timers
	// Logger gets raft's own messages too, with "group" set; slog.Default() if nil.
	Logger *slog.Logger
	// Fatal is called at most once, with what cannot be right any more: a store failed, the log has a hole, a guard
	// could not restart the replica. It should end the process. Required.
	Fatal func(error)

	off Off
}

const (
	defaultPatience      = 500 * time.Millisecond
	defaultLease         = 400 * time.Millisecond
	defaultCommit        = 50 * time.Millisecond
	defaultSnapshotBytes = 64 << 20
	defaultTrailingLogs  = 4096

	// maxAppendEntries is small because entries are batches already, and raft allocates a slice of this length for
	// every AppendEntries, empty ones included.
	maxAppendEntries = 16
	// never is an interval for raft's own snapshot poll, which counts entries where we count bytes.
	never = 10000 * time.Hour
)

// withDefaults fills in zero values.
func (c Config) withDefaults() Config {
	t := &c.Timing
	t.Heartbeat = or(t.Heartbeat, defaultPatience)
	t.Election = or(t.Election, max(defaultPatience, t.Heartbeat))
	t.Lease = or(t.Lease, defaultLease)
	t.Commit = or(t.Commit, defaultCommit)
	if c.Pulse == nil {
		c.Pulse = NewPulse(t.Lease)
	}
	c.SnapshotBytes = or(c.SnapshotBytes, defaultSnapshotBytes)
	c.TrailingLogs = or(c.TrailingLogs, defaultTrailingLogs)
	c.Timers = c.Timers.withDefaults()
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("group", uint32(c.Group))
	return c
}

func (t Timers) withDefaults() Timers {
	for _, f := range []*func(time.Duration){&t.Apply, &t.Mark, &t.Snapshot} {
		if *f == nil {
			*f = func(time.Duration) {}
		}
	}
	return t
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// check says what is wrong with a config whose defaults are filled in.
func (c Config) check() error {
	switch {
	case c.Self == "":
		return errors.New("no node ID: set Self")
	case c.FSM == nil || c.Transport == nil || c.Logs == nil || c.Stable == nil || c.Snapshots == nil:
		return errors.New("the state machine, the transport and the three stores must all be set")
	case c.Fatal == nil:
		return errors.New("no Fatal function: a failed store must be able to stop the process")
	case c.Transport.LocalAddr() != raft.ServerAddress(c.Self):
		return fmt.Errorf("the transport's address is %q, but it must be the node ID %q: an address may not be reused by another node",
			c.Transport.LocalAddr(), c.Self)
	case c.Reads > Quorum:
		return fmt.Errorf("unknown read mode %d: use Lease or Quorum", c.Reads)
	case c.Timing.Lease >= c.Timing.Heartbeat:
		return fmt.Errorf("lease %v must be shorter than the heartbeat timeout %v, or another leader could be elected within it",
			c.Timing.Lease, c.Timing.Heartbeat)
	case c.Pulse.lease != c.Timing.Lease:
		return fmt.Errorf("the pulse is one for leases of %v, not %v", c.Pulse.lease, c.Timing.Lease)
	case c.SnapshotBytes < 0:
		return fmt.Errorf("snapshot bytes %d: must not be negative", c.SnapshotBytes)
	}
	return nil
}

// raftConfig is the hashicorp/raft configuration that the guards rely on.
func (c Config) raftConfig() *raft.Config {
	return &raft.Config{
		ProtocolVersion:    raft.ProtocolVersionMax,
		LocalID:            raft.ServerID(c.Self),
		HeartbeatTimeout:   c.Timing.Heartbeat,
		ElectionTimeout:    c.Timing.Election,
		LeaderLeaseTimeout: c.Timing.Lease,
		CommitTimeout:      c.Timing.Commit,
		MaxAppendEntries:   maxAppendEntries,
		TrailingLogs:       c.TrailingLogs,
		SnapshotInterval:   never,
		SnapshotThreshold:  ^uint64(0),
		NoLegacyTelemetry:  true,
		Logger:             newLogger(c.Logger),
	}
}
