package placement

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/sealed"
	"github.com/quorate/quorate/placement/topology"
)

// Change is what a command does to the State: one of the types below and nothing else.
type Change interface {
	// kind is the change's name in the log. It is part of the format: never rename.
	kind() string
	// edit checks the command's own conditions and edits s in place; an error refuses the command.
	edit(s *State) error
}

// Init founds the cluster. Repeating it with the same cluster id changes nothing.
type Init struct {
	Cluster string `json:"cluster"`
	// Nodes are the founders with their addresses; those with Voter set vote in placement's Raft group.
	Nodes []topology.Node `json:"nodes"`
	// Groups and Replicas are what the driver is to create.
	Groups   int               `json:"groups"`
	Replicas int               `json:"replicas"`
	Settings topology.Settings `json:"settings"`
}

// RegisterNode adds a node, or records what changed about one that is known: identity is the id, everything else may
// change. An address that another node had is taken from it. Voter is ignored.
type RegisterNode struct {
	Node topology.Node `json:"node"`
}

// CreateGroups makes the first groups. They must own every slot exactly once.
type CreateGroups struct {
	Groups []topology.Group `json:"groups"`
}

// SetSettings replaces all cluster-wide settings. Nodes propose ChangeSettings instead; this is for logs that hold it.
type SetSettings struct {
	Settings topology.Settings `json:"settings"`
}

// ChangeSettings changes the cluster-wide settings that are given and leaves the others alone, so that whoever proposes it need
// not know them: two nodes that change different ones at once do not undo each other's change.
type ChangeSettings struct {
	MaxMemory        *int64  `json:"maxmemory,omitempty"`
	MaxMemoryPolicy  *string `json:"maxmemory_policy,omitempty"`
	MaxMemorySamples *int    `json:"maxmemory_samples,omitempty"`
	SpreadLeaders    *bool   `json:"spread_leaders,omitempty"`
}

// PreferLeader puts Node first among Group's members.
type PreferLeader struct {
	Group slot.GroupID    `json:"group"`
	Node  topology.NodeID `json:"node"`
}

// RemoveNode forgets a node that hosts no replica and no placement voter.
type RemoveNode struct {
	Node topology.NodeID `json:"node"`
}

// AddReplica begins to make Node a member of Group: the driver has it fed and then given a vote. Repeating it changes nothing.
type AddReplica struct {
	Group slot.GroupID    `json:"group"`
	Node  topology.NodeID `json:"node"`
}

// RemoveReplica begins to take Node out of Group, or takes an AddReplica back that is under way.
type RemoveReplica struct {
	Group slot.GroupID    `json:"group"`
	Node  topology.NodeID `json:"node"`
}

// ReplicaAdded ends an AddReplica: Node has a vote in the group's committed configuration.
type ReplicaAdded struct {
	Group slot.GroupID    `json:"group"`
	Node  topology.NodeID `json:"node"`
}

// ReplicaRemoved ends a RemoveReplica: Node is not in the group's committed configuration any more.
type ReplicaRemoved struct {
	Group slot.GroupID    `json:"group"`
	Node  topology.NodeID `json:"node"`
}

// Command is a Change on its way through the log.
type Command struct {
	Change Change
}

// version of the encoding of commands. A node that reads a newer one stops (it cannot know what the entry means).
const version = 1

// MaxCommand bounds an encoded command, in bytes: CreateGroups of 16384 groups is the largest.
const MaxCommand = 16 << 20

type envelope struct {
	Version int             `json:"v"`
	Kind    string          `json:"kind"`
	Body    json.RawMessage `json:"body"`
}

// Encode writes c for the log.
func (c Command) Encode() ([]byte, error) {
	body, err := json.Marshal(c.Change)
	if err != nil {
		return nil, fmt.Errorf("command %s: encode: %w", c.Change.kind(), err)
	}
	return json.Marshal(envelope{Version: version, Kind: c.Change.kind(), Body: body})
}

// Decode reads what Encode writes. Unknown versions, kinds, fields and trailing bytes are errors.
func Decode(data []byte) (Command, error) {
	if len(data) > MaxCommand {
		return Command{}, fmt.Errorf("command: %d bytes: at most %d", len(data), MaxCommand)
	}
	var e envelope
	if err := sealed.Decode(data, &e); err != nil {
		return Command{}, fmt.Errorf("command: decode: %w", err)
	}
	if e.Version != version {
		return Command{}, fmt.Errorf("command: version %d: this build reads version %d; upgrade it", e.Version, version)
	}
	change, err := decodeBody(e.Kind, e.Body)
	if err != nil {
		return Command{}, fmt.Errorf("command %.40q: decode: %w", e.Kind, err)
	}
	return Command{Change: change}, nil
}

func decodeBody(kind string, body []byte) (Change, error) {
	switch kind {
	case Init{}.kind():
		return decodeAs[Init](body)
	case RegisterNode{}.kind():
		return decodeAs[RegisterNode](body)
	case CreateGroups{}.kind():
		return decodeAs[CreateGroups](body)
	case SetSettings{}.kind():
		return decodeAs[SetSettings](body)
	case ChangeSettings{}.kind():
		return decodeAs[ChangeSettings](body)
	case PreferLeader{}.kind():
		return decodeAs[PreferLeader](body)
	case RemoveNode{}.kind():
		return decodeAs[RemoveNode](body)
	case AddReplica{}.kind():
		return decodeAs[AddReplica](body)
	case RemoveReplica{}.kind():
		return decodeAs[RemoveReplica](body)
	case ReplicaAdded{}.kind():
		return decodeAs[ReplicaAdded](body)
	case ReplicaRemoved{}.kind():
		return decodeAs[ReplicaRemoved](body)
	}
	return nil, errors.New("unknown kind; was it written by a newer version?")
}

func decodeAs[T Change](body []byte) (Change, error) {
	var c T
	err := sealed.Decode(body, &c)
	return c, err
}

func (Init) kind() string           { return "init" }
func (RegisterNode) kind() string   { return "register-node" }
func (CreateGroups) kind() string   { return "create-groups" }
func (SetSettings) kind() string    { return "set-settings" }
func (ChangeSettings) kind() string { return "change-settings" }
func (PreferLeader) kind() string   { return "prefer-leader" }
func (RemoveNode) kind() string     { return "remove-node" }
func (AddReplica) kind() string     { return "add-replica" }
func (RemoveReplica) kind() string  { return "remove-replica" }
func (ReplicaAdded) kind() string   { return "replica-added" }
func (ReplicaRemoved) kind() string { return "replica-removed" }
