package service

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/bootstrap"
	"github.com/quorate/quorate/placement/plan"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// The requests between the placement services of two nodes, numbered within package peer's range for placement.
// Part of the wire: do not renumber. Payloads and answers are JSON.
const (
	KindHello    uint8 = 16 // who are you, and this is me
	KindPropose  uint8 = 17 // carry this command to placement's leader
	KindWatch    uint8 = 18 // give me the map once its epoch is higher than mine
	KindStatus   uint8 = 19 // what do you lead, how far are you?
	KindTransfer uint8 = 20 // hand over a group that you lead
	KindMembers  uint8 = 21 // change the Raft configuration of a group that you lead
)

// Peers is what the service needs of the connections between nodes; *peer.Node is one. Every call ends by ctx's
// deadline. An error means that the request may or may not have been served, unless Config.NotSent says otherwise.
// The group is always 0.
type Peers interface {
	// Call asks node id, wherever it listens now, and never delivers to another node.
	Call(ctx context.Context, id topology.NodeID, kind uint8, group slot.GroupID, payload []byte) ([]byte, error)
	// CallAddr asks whichever node listens at addr (host:port; a DNS name is resolved on every call) and names it.
	CallAddr(ctx context.Context, addr string, kind uint8, group slot.GroupID, payload []byte) (topology.NodeID, []byte, error)
	// SetAddr says that node id listens for peers at addr. The newest word counts.
	SetAddr(id topology.NodeID, addr string)
	// SetCluster says to which cluster this node belongs, once that is known.
	SetCluster(id string)
}

// Handler answers a request of another node; it has the form of peer.Handler.
type Handler = func(ctx context.Context, from topology.NodeID, group slot.GroupID, payload []byte) ([]byte, error)

// Replica is placement's own Raft replica (group 0) as the service uses it: a *consensus.Replica.
type Replica interface {
	Propose(data []byte) (consensus.Result, error)
	Leader() consensus.Leadership
	Changed() <-chan struct{}
	Transfer(ctx context.Context, to string) error
	Close() error
}

// OpenReplica opens placement's Raft replica on this node, with consensus.Config's FSM and Bootstrap as given.
type OpenReplica func(fsm raft.FSM, bootstrap *raft.Configuration) (Replica, error)

// The two ways a proposal fails without an answer of the machine. A refusal is a *placement.Refusal.
var (
	// ErrNotApplied: nothing happened and nothing will; safe to try again.
	ErrNotApplied = errors.New("not applied")
	// ErrUnknown: it may have happened or may yet. Look at the map before trying again.
	ErrUnknown = errors.New("outcome unknown")
	// ErrNoCluster: this node belongs to no cluster yet.
	ErrNoCluster = errors.New("this node belongs to no cluster yet: start it with --join of a member, or run 'quorate cluster init'")
)

// GroupStatus is what a node says about one of its replicas.
type GroupStatus struct {
	Group slot.GroupID `json:"group"`
	// Life is which of the node's replicas of the group it is: see topology.Group.Life.
	Life uint64 `json:"life,omitempty"`
	// Leading says that the replica leads in Term.
	Leading bool   `json:"leading"`
	Term    uint64 `json:"term"`
	// Applied is the replica's last applied index, Last the last in its log.
	Applied uint64 `json:"applied"`
	Last    uint64 `json:"last"`
	// Committed is what the replica knows to be committed. Servers are those of the newest Raft configuration in its log, which
	// is entry Config; only a leader tells them.
	Committed uint64   `json:"committed"`
	Config    uint64   `json:"config,omitempty"`
	Servers   []Server `json:"servers,omitempty"`
}

// Server is a member of a Raft configuration.
type Server struct {
	Node  topology.NodeID `json:"node"`
	Voter bool            `json:"voter"`
	// Matched is the newest entry that the leader knows it to hold; of the leader itself it is the last one.
	Matched uint64 `json:"matched"`
}

// Status is a node's answer to the driver.
type Status struct {
	Node topology.NodeID `json:"node"`
	// Run is another number after each start of the process.
	Run    uint64        `json:"run"`
	Epoch  uint64        `json:"epoch"`
	Groups []GroupStatus `json:"groups"`
}

// Files keeps a few small files.
type Files interface {
	// Load returns a file's content, nil if there is none.
	Load(name string) ([]byte, error)
	// Replace puts data in the place of a file. After it returns nil the new content survives a power cut; on an error the
	// old one does, or the new one.
	Replace(name string, data []byte) error
}

// Shape is what a new cluster is founded with.
type Shape = bootstrap.Shape

// Config is everything a Service needs.
type Config struct {
	// Dir is a folder of this service alone; it is created.
	Dir string
	// Files, if set, keeps the service's files instead of Dir, which then only names them in messages.
	Files Files
	// Self is this node with the addresses it has now. Voter is ignored.
	Self topology.Node
	// Join are peer addresses (host:port, DNS names welcome) of other nodes; this node's own may be among them.
	Join []string
	// Expect is --bootstrap-expect: with how many nodes, this one included, a new cluster is founded. 1 founds at
	// once; 0 waits for Init at any node or for a cluster behind Join.
	Expect int
	// Shape is used if this node happens to propose the new cluster.
	Shape Shape

	Peers Peers
	// NotSent reports whether an error of Peers means that the request was certainly not served (peer.ErrNotSent).
	NotSent func(error) bool
	Open    OpenReplica
	// Status answers the driver about this node's replicas. Like every function here it may be called before Open
	// returns.
	Status func() []GroupStatus
	// Transfer hands a group that this node leads over to node to and returns when that is done or failed.
	Transfer func(ctx context.Context, group slot.GroupID, to topology.NodeID) error
	// Reconfigure changes the Raft configuration of a group that this node leads and returns when that is committed or failed.
	Reconfigure func(ctx context.Context, group slot.GroupID, action plan.Action, node topology.NodeID, config uint64) error

	Log *slog.Logger
	// Fatal ends the process: called with what cannot be right (broken files, diverging maps).
	Fatal func(error)

	Timing Timing
}

// Timing are the service's periods; zero values take the defaults.
type Timing struct {
	// Retry is the first pause after a failed or fruitless round, doubled up to ten times itself. Default 100 ms.
	Retry time.Duration
	// Call bounds one request to a peer. Default 2 s.
	Call time.Duration
	// LongPoll is how long a voter holds a Watch when there is no news. Default 5 s.
	LongPoll time.Duration
	// Poll is the driver's period. Default 500 ms.
	Poll time.Duration
	// Settle is how long leadership and liveness must be unchanged before the driver moves a leader. Default 5 s.
	Settle time.Duration
}
