package topology

import (
	"slices"

	"github.com/quorate/quorate/fsm/slot"
)

// NodeID is a node's identity: 40 lower-case hex digits, made at first start, kept in its data folder and never
// reused. Addresses may change; identities don't.
type NodeID string

// Node is a server process as the map knows it.
type Node struct {
	ID NodeID `json:"id"`
	// Name is for people: the host name or what --name said.
	Name string `json:"name"`
	// Client is the host:port that clients are told (MOVED, CLUSTER SLOTS); Peer is where other nodes connect.
	// Both are empty while another node has taken the address over and this one has not said where it is now.
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
	// Founders are the members at creation, sorted: the Raft configuration that each of them writes as entry 1.
	// They never change. A member that is no founder starts empty and is fed by the leader (see Bootstraps).
	Founders []NodeID `json:"founders"`
	// Members are the nodes that hold replicas; the first one is preferred as leader.
	Members []NodeID `json:"members"`
	// Joining is a node that is becoming a member: it is no member yet, but holds a replica. Leaving is a node, mostly a member,
	// that is to hold none. At most one of the two is set.
	Joining NodeID `json:"joining,omitempty"`
	Leaving NodeID `json:"leaving,omitempty"`
	// Departed counts, sorted by node, how often nodes have left; see Life.
	Departed []Departure `json:"departed,omitempty"`
}

// Departure says how often a node has left a group.
type Departure struct {
	Node  NodeID `json:"node"`
	Times uint64 `json:"times"`
}

// Bootstraps reports whether node id, finding no replica of g in its data folder, may write g's first Raft
// configuration (all of Founders, as voters) and build the first state from Genesis.
//
// Every other replica must start empty, without bootstrap, and wait for the leader: a second first configuration would let
// members that hold no data elect each other. A founder that left and came back is such another one.
func (g *Group) Bootstraps(id NodeID) bool {
	return g.Life(id) == 0 && slices.Contains(g.Founders, id) && slices.Contains(g.Members, id)
}

// Holds reports whether node id is to hold a replica of g.
func (g *Group) Holds(id NodeID) bool {
	return slices.Contains(g.Holders(), id)
}

// Holders are the nodes that Holds is true for.
func (g *Group) Holders() []NodeID {
	out := slices.Clone(g.Members)
	for _, id := range []NodeID{g.Joining, g.Leaving} {
		if id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// Life numbers node id's replicas of g, one after the other: it is how often the node has left. What a replica of an earlier
// life left on the disk must go before the next one starts; only its vote stays, or it could vote twice in a term.
func (g *Group) Life(id NodeID) uint64 {
	i, found := slices.BinarySearchFunc(g.Departed, id, func(d Departure, id NodeID) int { return compare(d.Node, id) })
	if !found {
		return 0
	}
	return g.Departed[i].Times
}

// Depart counts one more departure of node id.
func (g *Group) Depart(id NodeID) {
	i, found := slices.BinarySearchFunc(g.Departed, id, func(d Departure, id NodeID) int { return compare(d.Node, id) })
	if !found {
		g.Departed = slices.Insert(g.Departed, i, Departure{Node: id})
	}
	g.Departed[i].Times++
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

// DefaultSettings are what a cluster starts with when nothing else is said.
func DefaultSettings() Settings {
	return Settings{MaxMemoryPolicy: "noeviction", MaxMemorySamples: 5, SpreadLeaders: true}
}

// Policies are the values of Settings.MaxMemoryPolicy (https://redis.io/docs/latest/develop/reference/eviction/).
var Policies = []string{
	"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random",
	"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
}

// Map is the whole cluster at one epoch. Maps are immutable once published: share the pointer, Clone to edit.
type Map struct {
	Epoch uint64 `json:"epoch"`
	// Cluster is the cluster's identity: 40 lower-case hex digits, made at bootstrap. Empty only at epoch 0.
	Cluster string `json:"cluster"`
	// Nodes are sorted by ID, Groups by ID.
	Nodes    []Node   `json:"nodes"`
	Groups   []Group  `json:"groups"`
	Settings Settings `json:"settings"`
	// Slots says who owns each slot; 0 only before the first groups exist.
	Slots [slot.Count]slot.GroupID `json:"-"`
}

// NodeByID returns the node with that id, or nil. The result is part of m: not to be changed.
func (m *Map) NodeByID(id NodeID) *Node {
	i, found := slices.BinarySearchFunc(m.Nodes, id, func(n Node, id NodeID) int { return compare(n.ID, id) })
	if !found {
		return nil
	}
	return &m.Nodes[i]
}

// GroupByID returns the group with that id, or nil. The result is part of m: not to be changed.
func (m *Map) GroupByID(id slot.GroupID) *Group {
	i, found := slices.BinarySearchFunc(m.Groups, id, func(g Group, id slot.GroupID) int { return compare(g.ID, id) })
	if !found {
		return nil
	}
	return &m.Groups[i]
}

// IsMember reports whether node id is a member of group g.
func (m *Map) IsMember(g slot.GroupID, id NodeID) bool {
	group := m.GroupByID(g)
	return group != nil && slices.Contains(group.Members, id)
}

// RangesOf lists the slots that group id owns as sorted, disjoint, maximal ranges.
func (m *Map) RangesOf(id slot.GroupID) []slot.Range {
	var out []slot.Range
	for n, owner := range m.Slots {
		if owner != id {
			continue
		}
		if k := len(out); k > 0 && int(out[k-1].Last) == n-1 {
			out[k-1].Last = uint16(n)
		} else {
			out = append(out, slot.Range{First: uint16(n), Last: uint16(n)})
		}
	}
	return out
}

// GroupsOn lists the groups that node id is a member of, in the order of their ids.
func (m *Map) GroupsOn(id NodeID) []slot.GroupID {
	var out []slot.GroupID
	for i := range m.Groups {
		if slices.Contains(m.Groups[i].Members, id) {
			out = append(out, m.Groups[i].ID)
		}
	}
	return out
}

// Voters lists the nodes that host a voter of placement's own Raft group, sorted.
func (m *Map) Voters() []NodeID {
	var out []NodeID
	for i := range m.Nodes {
		if m.Nodes[i].Voter {
			out = append(out, m.Nodes[i].ID)
		}
	}
	return out
}

// Clone returns a deep copy of m that may be edited.
func (m *Map) Clone() *Map {
	c := *m
	c.Nodes = slices.Clone(m.Nodes)
	c.Groups = slices.Clone(m.Groups)
	for i := range c.Groups {
		g := &c.Groups[i]
		g.Genesis = slices.Clone(g.Genesis)
		g.Founders = slices.Clone(g.Founders)
		g.Members = slices.Clone(g.Members)
		g.Departed = slices.Clone(g.Departed)
	}
	return &c
}

// SameContent reports whether m and o agree in everything but the epoch.
func (m *Map) SameContent(o *Map) bool {
	return m.Cluster == o.Cluster && m.Settings == o.Settings && m.Slots == o.Slots &&
		slices.Equal(m.Nodes, o.Nodes) && slices.EqualFunc(m.Groups, o.Groups, sameGroup)
}

func sameGroup(a, b Group) bool {
	return sameBirth(&a, &b) && slices.Equal(a.Members, b.Members) &&
		a.Joining == b.Joining && a.Leaving == b.Leaving && slices.Equal(a.Departed, b.Departed)
}

// sameBirth compares what is fixed at a group's creation.
func sameBirth(a, b *Group) bool {
	return a.ID == b.ID && a.HashSeed == b.HashSeed &&
		slices.Equal(a.Genesis, b.Genesis) && slices.Equal(a.Founders, b.Founders)
}
