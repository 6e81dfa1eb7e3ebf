package resp

import (
	"context"
	"errors"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup"
)

// Backend is what the front end needs from the node around it. All methods are safe for concurrent use and, but for
// those that take a context, return at once from memory.
type Backend interface {
	// Self is this node's identity.
	Self() topology.NodeID
	// Map is the newest map this node has seen. Never nil; an empty map before the node has joined a cluster.
	Map() *topology.Map
	// Leader is the node that leads g as far as this node knows, "" during an election. Whenever Map or any Leader
	// changes, the node calls Server.TopologyChanged.
	Leader(g slot.GroupID) topology.NodeID
	// LeaderNow is what Leader is about to answer: it asks this node's replica itself, if there is one, which knows before the
	// node does. TopologyChanged does not follow every change of it.
	LeaderNow(g slot.GroupID) topology.NodeID
	// Replica is this node's replica of g, nil if it has none or if it is not open yet.
	Replica(g slot.GroupID) Group
	// Status is read for INFO, ROLE and the like; not on the path of keyed commands.
	Status() Status

	// Settings lists the configuration that the front end does not own itself (dir, durability, reads, …) in Redis's
	// or Quorate's names, for CONFIG GET. Cluster-wide ones come from Map().Settings and need not be repeated.
	Settings() []Setting
	// SetSetting changes one setting that the front end does not own: maxmemory, maxmemory-policy,
	// maxmemory-samples (cluster-wide, through placement), loglevel and so on. ErrUnknownSetting if there is no such
	// setting, ErrFixedSetting if it needs a restart; any other error is shown to the client.
	SetSetting(ctx context.Context, name, value string) error
	// Admin executes QUORATE <args…> and returns the reply as JSON. An error becomes an -ERR reply. It bounds itself how long that
	// takes, which depends on the verb; ctx ends when the server cannot wait any more.
	Admin(ctx context.Context, args []string) ([]byte, error)
	// Transfer hands leadership of g to node to; it returns when that has happened or failed.
	Transfer(ctx context.Context, g slot.GroupID, to topology.NodeID) error
	// Shutdown asks the process to stop gracefully and returns at once (SHUTDOWN).
	Shutdown()
}

// Group is a local replica. *shardgroup.Group implements it.
type Group interface {
	// Submit runs calls of writes and the reads among them. Each one's Done is called exactly once, from a goroutine of
	// the group or from Submit itself.
	Submit(calls ...*shardgroup.Call)
	// Join adds a call of reads only to those that rs will answer, if the leader's read gate is open; else it does nothing
	// and returns false. c.Done is not called.
	Join(rs *shardgroup.Reads, c *shardgroup.Call) bool
	// Read runs a call of reads only behind the leader's read gate, on the caller's goroutine; c.Done is not called.
	Read(c *shardgroup.Call)
	// SubmitReads runs calls of reads only behind one confirmation by a quorum that begins after it. Each one's Done is called
	// exactly once, like Submit's.
	SubmitReads(calls ...*shardgroup.Call)
	// ReadFollower runs a call of reads only on this replica, leader or not: after the leader confirmed a read
	// index, so still linearizable, or on the present state if stale is set. c.Done is not called.
	ReadFollower(c *shardgroup.Call, stale bool)
}

// Setting is one line of CONFIG GET.
type Setting struct{ Name, Value string }

var (
	// ErrUnknownSetting: no setting has that name.
	ErrUnknownSetting = errors.New("unknown setting")
	// ErrFixedSetting: the setting exists but cannot change while the node runs.
	ErrFixedSetting = errors.New("can't set immutable config")
)

// Status is the node's state as INFO, ROLE and LASTSAVE show it.
type Status struct {
	// Version is Quorate's own version. Durability is "always" or "interval", Reads "lease" or "quorum".
	Version    string
	Durability string
	Reads      string
	// Loading is set while replicas of this node are restored, or lack what was acknowledged before they were opened.
	Loading bool
	// LastSnapshot is when a replica last finished a snapshot, or as in Redis the start if none has since, Unix seconds.
	LastSnapshot int64
	// Groups are the local replicas, sorted by group.
	Groups []GroupStatus
	// SlotsDown are slots without a known leader for longer than the node tolerates (cluster_state:fail if > 0).
	SlotsDown int
}

// GroupStatus is one local replica.
type GroupStatus struct {
	Group   slot.GroupID
	Leading bool
	Leader  topology.NodeID
	Term    uint64
	// Last, Committed and Applied are log indexes.
	Last, Committed, Applied uint64
	// SnapshotIndex is the log index of the newest snapshot, LogBytes what lies behind it.
	SnapshotIndex uint64
	LogBytes      int64
	Keys          int64
	Expires       int64
	// AvgTTL is the mean time to live of keys with one, in milliseconds; 0 if unknown.
	AvgTTL      int64
	UsedMemory  int64
	Expired     uint64
	Evicted     uint64
	ReadLease   bool
	VotersAcked int
}
