package clusterview

import (
	"cmp"
	"net"
	"slices"
	"strconv"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// View is the cluster at one epoch and one set of leaders. It is immutable; make a new one when either changes.
type View struct {
	Map *topology.Map
	// Self is the node that shows the view.
	Self topology.NodeID

	// nodes are all that can be shown, this node first, then by identity.
	nodes []node
	// shards are the runs of slots of one leader, in order; indexes into nodes.
	shards []shard

	slots    rendered
	shards23 [2]rendered
	lines    rendered
}

type node struct {
	id     topology.NodeID
	host   string
	port   int
	cport  int
	ranges []slot.Range
}

type shard struct {
	slot.Range
	node int
}

// New builds the view of m. leaders are the last known leaders; a group without one is shown at its preferred
// member, which will park or redirect.
func New(m *topology.Map, self topology.NodeID, leaders map[slot.GroupID]topology.NodeID) *View {
	v := &View{Map: m, Self: self}
	v.collectNodes()
	at := v.placeGroups(leaders)
	for n, g := range m.Slots {
		if i, placed := at[g]; placed {
			v.addSlot(uint16(n), i)
		}
	}
	return v
}

// collectNodes takes every node that clients can reach.
func (v *View) collectNodes() {
	for i := range v.Map.Nodes {
		n := &v.Map.Nodes[i]
		host, port := splitAddress(n.Client)
		if port == 0 && n.ID != v.Self {
			continue
		}
		_, cport := splitAddress(n.Peer)
		v.nodes = append(v.nodes, node{id: n.ID, host: host, port: port, cport: cport})
	}
	if v.Map.NodeByID(v.Self) == nil {
		// Not a member yet: `myself` must still be there (Lettuce, redis-cli).
		v.nodes = append(v.nodes, node{id: v.Self})
	}
	slices.SortFunc(v.nodes, func(a, b node) int {
		if (a.id == v.Self) != (b.id == v.Self) {
			if a.id == v.Self {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.id, b.id)
	})
}

// placeGroups says at which of v.nodes each group is shown: at its leader, else at the first member that can be
// reached, else here.
func (v *View) placeGroups(leaders map[slot.GroupID]topology.NodeID) map[slot.GroupID]int {
	index := make(map[topology.NodeID]int, len(v.nodes))
	for i, n := range v.nodes {
		index[n.id] = i
	}
	at := make(map[slot.GroupID]int, len(v.Map.Groups))
	for i := range v.Map.Groups {
		g := &v.Map.Groups[i]
		at[g.ID] = 0
		for _, id := range append([]topology.NodeID{leaders[g.ID]}, g.Members...) {
			if n, known := index[id]; known {
				at[g.ID] = n
				break
			}
		}
	}
	return at
}

func (v *View) addSlot(n uint16, at int) {
	v.nodes[at].ranges = extend(v.nodes[at].ranges, n)
	if k := len(v.shards); k > 0 && v.shards[k-1].node == at && v.shards[k-1].Last+1 == n {
		v.shards[k-1].Last = n
		return
	}
	v.shards = append(v.shards, shard{Range: slot.Range{First: n, Last: n}, node: at})
}

func extend(ranges []slot.Range, n uint16) []slot.Range {
	if k := len(ranges); k > 0 && ranges[k-1].Last+1 == n {
		ranges[k-1].Last = n
		return ranges
	}
	return append(ranges, slot.Range{First: n, Last: n})
}

// Addr is the address at which clients are told to find n, "" if the map has none.
func (v *View) Addr(n uint16) string {
	i, found := slices.BinarySearchFunc(v.shards, n, func(s shard, n uint16) int {
		switch {
		case s.Last < n:
			return -1
		case s.First > n:
			return 1
		}
		return 0
	})
	if !found {
		return ""
	}
	at := &v.nodes[v.shards[i].node]
	return net.JoinHostPort(at.host, strconv.Itoa(at.port))
}

// SameRoutes reports whether clients would send every slot to the same place under o.
func (v *View) SameRoutes(o *View) bool {
	return slices.EqualFunc(v.shards, o.shards, func(a, b shard) bool {
		x, y := &v.nodes[a.node], &o.nodes[b.node]
		return a.Range == b.Range && x.host == y.host && x.port == y.port && x.id == y.id
	})
}

// Has reports whether id is a node that clients can see.
func (v *View) Has(id string) bool {
	return slices.ContainsFunc(v.nodes, func(n node) bool { return string(n.id) == id })
}

// covered is how many slots belong to a group.
func (v *View) covered() (n int) {
	for _, s := range v.shards {
		n += s.Len()
	}
	return n
}

// leading is how many nodes are shown with slots.
func (v *View) leading() (n int) {
	for _, at := range v.nodes {
		if len(at.ranges) > 0 {
			n++
		}
	}
	return n
}

func splitAddress(addr string) (host string, port int) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0
	}
	return host, int(n)
}
