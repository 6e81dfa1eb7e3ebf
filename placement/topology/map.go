package topology

import "github.com/quorate/quorate/fsm/slot"

// NodeID is a node's identity: 40 lower-case hex digits, made at first start, kept in its data folder and never
// reused. Addresses may change; identities don't.
type NodeID string

// Node is a server process as the map knows it.
type Node struct {
	ID NodeID `json:"id"`
	// Name is for people: the host name or what --name said.
	Name string `json:"name"`
	// Client is the host:port that clients are told (MOVED, CLUSTER SLOTS); Peer is where other nodes connect.
	Client string `json:"client"`
	Peer   string `json:"peer"`
	Zone   string `json:"zone,omitempty"`
	// Weight is the node's share of replicas relative to others. 100 is normal, 0 takes none.
	Weight int `json:"weight"`
	// Voter says that the node hosts a voter of placement's own Raft group.
	Voter bool `json:"voter"`
}

// Group is a shard group: what is fixed at its creation, and its present members.
type Group struct {
	ID slot.GroupID `json:"id"`
	// HashSeed is chosen once so that nobody outside can aim keys at one bucket of a table.
	HashSeed uint64 `json:"hash_seed"`
	// Genesis are the slots that the group owned when it was created; replicas build their first state from it.
	Genesis []slot.Range `json:"genesis"`
	// Members are the nodes that hold replicas; the first one is preferred as leader.
	Members []NodeID `json:"members"`
}

// Settings are the cluster-wide settings that replicas must agree on.
type Settings struct {
	// MaxMemory is the limit of logical bytes of all replicas on one node; 0 is no limit.
	MaxMemory int64 `json:"maxmemory"`
	// MaxMemoryPolicy is one of Redis's eight, "noeviction" by default.
	MaxMemoryPolicy string `json:"maxmemory_policy"`
	// MaxMemorySamples is how many keys the leader looks at for one victim; 5 by default.
	MaxMemorySamples int `json:"maxmemory_samples"`
	// SpreadLeaders lets the driver move leadership towards each group's preferred node.
	SpreadLeaders bool `json:"spread_leaders"`
}

// Map is the whole cluster at one epoch. Maps are immutable once published.
type Map struct {
	Epoch   uint64 `json:"epoch"`
	Cluster string `json:"cluster"`
	// Nodes are sorted by ID, Groups by ID.
	Nodes    []Node   `json:"nodes"`
	Groups   []Group  `json:"groups"`
	Settings Settings `json:"settings"`
	// Slots says who owns each slot; 0 only before the first groups exist.
	Slots [slot.Count]slot.GroupID `json:"-"`
}
