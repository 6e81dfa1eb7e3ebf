package placement

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func id(n int) topology.NodeID { return topology.NodeID(fmt.Sprintf("%040x", n)) }

func node(n int) topology.Node {
	return topology.Node{ID: id(n), Name: fmt.Sprint("n", n), Client: fmt.Sprintf("h%d:7000", n), Peer: fmt.Sprintf("h%d:7001", n), Weight: 100}
}

const cluster = "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1"

func initial() Init {
	c := Init{Cluster: cluster, Groups: 2, Replicas: 3, Settings: topology.DefaultSettings()}
	for _, n := range []int{3, 1, 2} {
		v := node(n)
		v.Voter = true
		c.Nodes = append(c.Nodes, v)
	}
	return c
}

func group(g slot.GroupID, first, last uint16, members ...int) topology.Group {
	out := topology.Group{ID: g, HashSeed: uint64(g) * 7, Genesis: []slot.Range{{First: first, Last: last}}}
	for _, n := range members {
		out.Members = append(out.Members, id(n))
	}
	out.Founders = slices.Sorted(slices.Values(out.Members))
	return out
}

func groups() CreateGroups {
	return CreateGroups{Groups: []topology.Group{group(1, 0, 8191, 2, 1, 3), group(2, 8192, 16383, 3, 1, 2)}}
}

// after applies changes that must all be accepted.
func after(t *testing.T, changes ...Change) State {
	t.Helper()
	var s State
	for _, c := range changes {
		next, err := s.Apply(Command{c})
		if err != nil {
			t.Fatalf("%T: %v", c, err)
		}
		s = next
	}
	return s
}

func TestChangesThatAreAccepted(t *testing.T) {
	moved := node(2)
	moved.Peer, moved.Client = "elsewhere:1", "elsewhere:2"
	thief := node(4)
	thief.Peer = "h2:7001"
	settings := topology.DefaultSettings()
	settings.MaxMemory = 1 << 20
	stranger := node(4)
	stranger.Voter = true
	founded := slices.Clip([]Change{initial(), groups()})
	adding := slices.Clip(append(founded, RegisterNode{node(4)}, AddReplica{1, id(4)}))
	without2 := slices.Clip(append(founded, RemoveReplica{1, id(2)}, ReplicaRemoved{1, id(2)}))
	for name, c := range map[string]struct {
		before []Change
		do     Change
		// grow is by how much the epoch must grow.
		grow  uint64
		check func(m *topology.Map) bool
	}{
		"init makes epoch 1":              {nil, initial(), 1, func(m *topology.Map) bool { return len(m.Nodes) == 3 && m.Nodes[0].ID == id(1) }},
		"init again changes nothing":      {founded, initial(), 0, nil},
		"groups own every slot":           {[]Change{initial()}, groups(), 1, func(m *topology.Map) bool { return m.Slots[0] == 1 && m.Slots[8192] == 2 }},
		"groups again change nothing":     {founded, groups(), 0, nil},
		"groups again after a reordering": {append(founded, PreferLeader{1, id(3)}), groups(), 0, nil},
		"a node joins":                    {founded, RegisterNode{node(4)}, 1, func(m *topology.Map) bool { return m.NodeByID(id(4)) != nil }},
		"a node joins before the groups":  {[]Change{initial()}, RegisterNode{node(4)}, 1, nil},
		"a node joins again":              {append(founded, RegisterNode{node(4)}), RegisterNode{node(4)}, 0, nil},
		"a node moves and still votes":    {founded, RegisterNode{moved}, 1, func(m *topology.Map) bool { n := m.NodeByID(id(2)); return n.Peer == "elsewhere:1" && n.Voter }},
		"a node says that it votes":       {founded, RegisterNode{stranger}, 1, func(m *topology.Map) bool { return !m.NodeByID(id(4)).Voter }},
		"an address is taken over":        {founded, RegisterNode{thief}, 1, func(m *topology.Map) bool { n := m.NodeByID(id(2)); return n.Peer == "" && n.Client == "h2:7000" }},
		"settings":                        {founded, SetSettings{settings}, 1, func(m *topology.Map) bool { return m.Settings == settings }},
		"the same settings":               {append(founded, SetSettings{settings}), SetSettings{settings}, 0, nil},
		"one setting changes, another has": {append(founded, ChangeSettings{MaxMemory: new(int64(1 << 20))}), ChangeSettings{MaxMemorySamples: new(9)}, 1, func(m *topology.Map) bool {
			return m.Settings == topology.Settings{MaxMemory: 1 << 20, MaxMemoryPolicy: "noeviction", MaxMemorySamples: 9, SpreadLeaders: true}
		}},
		"settings are set to nothing": {append(founded, SetSettings{settings}), ChangeSettings{MaxMemory: new(int64(0)), SpreadLeaders: new(false)}, 1, func(m *topology.Map) bool {
			return m.Settings.MaxMemory == 0 && !m.Settings.SpreadLeaders
		}},
		"a setting to what it is": {append(founded, SetSettings{settings}), ChangeSettings{MaxMemory: new(int64(1 << 20))}, 0, nil},
		"another preferred leader": {founded, PreferLeader{1, id(3)}, 1, func(m *topology.Map) bool {
			return slices.Equal(m.Groups[0].Members, []topology.NodeID{id(3), id(2), id(1)})
		}},
		"the same preferred leader": {founded, PreferLeader{1, id(2)}, 0, nil},
		"a replica is to be added": {append(founded, RegisterNode{node(4)}), AddReplica{1, id(4)}, 1, func(m *topology.Map) bool {
			return m.Groups[0].Joining == id(4) && m.Groups[0].Holds(id(4)) && !slices.Contains(m.Groups[0].Members, id(4))
		}},
		"it is to be added again": {adding, AddReplica{1, id(4)}, 0, nil},
		"it has been added": {adding, ReplicaAdded{1, id(4)}, 1, func(m *topology.Map) bool {
			return m.Groups[0].Joining == "" && m.Groups[0].Members[3] == id(4) && !m.Groups[0].Bootstraps(id(4))
		}},
		"it has been added, said twice": {append(adding, ReplicaAdded{1, id(4)}), ReplicaAdded{1, id(4)}, 0, nil},
		"adding is taken back":          {adding, RemoveReplica{1, id(4)}, 1, func(m *topology.Map) bool { return m.Groups[0].Leaving == id(4) && m.Groups[0].Joining == "" }},
		"what never joined has left": {append(adding, RemoveReplica{1, id(4)}), ReplicaRemoved{1, id(4)}, 1, func(m *topology.Map) bool {
			return !m.Groups[0].Holds(id(4)) && m.Groups[0].Life(id(4)) == 1 && len(m.Groups[0].Members) == 3
		}},
		"a replica is to be removed": {founded, RemoveReplica{1, id(2)}, 1, func(m *topology.Map) bool {
			g := m.Groups[0]
			return g.Leaving == id(2) && g.Members[0] != id(2) && len(g.Members) == 3 && g.Holds(id(2))
		}},
		"it is to be removed again": {append(founded, RemoveReplica{1, id(2)}), RemoveReplica{1, id(2)}, 0, nil},
		"it has been removed": {append(founded, RemoveReplica{1, id(2)}), ReplicaRemoved{1, id(2)}, 1, func(m *topology.Map) bool {
			return !m.Groups[0].Holds(id(2)) && m.Groups[0].Life(id(2)) == 1
		}},
		"it has been removed, said twice": {without2, ReplicaRemoved{1, id(2)}, 0, nil},
		"a founder comes back, empty": {append(without2, AddReplica{1, id(2)}), ReplicaAdded{1, id(2)}, 1, func(m *topology.Map) bool {
			return m.Groups[0].Holds(id(2)) && !m.Groups[0].Bootstraps(id(2)) && m.Groups[1].Bootstraps(id(2))
		}},
		"a node without replicas leaves":        {append(founded, RegisterNode{node(4)}), RemoveNode{id(4)}, 1, func(m *topology.Map) bool { return m.NodeByID(id(4)) == nil }},
		"a node that is not there leaves again": {founded, RemoveNode{id(4)}, 0, nil},
	} {
		s := after(t, c.before...)
		was := s.clone()
		next, err := s.Apply(Command{c.do})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if next.Epoch() != s.Epoch()+c.grow {
			t.Errorf("%s: epoch %d after %d, want growth by %d", name, next.Epoch(), s.Epoch(), c.grow)
		}
		if c.check != nil && !c.check(next.Map) {
			t.Errorf("%s: the map is %+v", name, next.Map.Nodes)
		}
		if s.Map != nil && (!s.Map.SameContent(was.Map) || s.Epoch() != was.Epoch()) {
			t.Errorf("%s: the old state was changed", name)
		}
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	other := initial()
	other.Cluster = strings.Repeat("d", 40)
	twoVoters := initial()
	twoVoters.Nodes[0].Voter = false
	hole, overlap, stranger, falseFounders := groups(), groups(), groups(), groups()
	hole.Groups[1].Genesis[0].First++
	overlap.Groups[1].Genesis[0].First--
	stranger.Groups[1] = group(2, 8192, 16383, 3, 1, 9)
	falseFounders.Groups[0].Founders = falseFounders.Groups[0].Founders[:2]
	lost := node(4)
	lost.Peer = ""
	founded := slices.Clip([]Change{initial(), groups()})
	adding := slices.Clip(append(founded, RegisterNode{node(4)}, AddReplica{1, id(4)}))
	lone := slices.Clip(append(founded, RemoveReplica{1, id(2)}, ReplicaRemoved{1, id(2)}, RemoveReplica{1, id(1)}, ReplicaRemoved{1, id(1)}))
	policy := topology.DefaultSettings()
	policy.MaxMemoryPolicy = "any"
	for name, c := range map[string]struct {
		before []Change
		do     Change
		want   string
	}{
		"anything before init":              {nil, RegisterNode{node(1)}, "not initialised"},
		"settings before init":              {nil, SetSettings{topology.DefaultSettings()}, "not initialised"},
		"groups before init":                {nil, groups(), "not initialised"},
		"init of another cluster":           {[]Change{initial()}, other, "this is cluster"},
		"init without nodes":                {nil, Init{Cluster: cluster, Groups: 1, Replicas: 1, Settings: topology.DefaultSettings()}, "no nodes"},
		"init with two voters":              {nil, twoVoters, "2 placement voters"},
		"init without settings":             {nil, Init{Cluster: cluster, Nodes: initial().Nodes, Groups: 1, Replicas: 1}, "maxmemory-policy"},
		"init that wants no group":          {nil, Init{Cluster: cluster, Nodes: initial().Nodes, Replicas: 1, Settings: topology.DefaultSettings()}, "0 groups wanted"},
		"groups that leave a slot out":      {[]Change{initial()}, hole, "has no owner"},
		"groups that share a slot":          {[]Change{initial()}, overlap, "in the genesis of group 1 and of group 2"},
		"groups on an unknown node":         {[]Change{initial()}, stranger, "no node of the map"},
		"groups founded by half":            {[]Change{initial()}, falseFounders, "founders must be its members"},
		"other groups":                      {founded, CreateGroups{groups().Groups[:1]}, "exist already"},
		"a node without peer address":       {founded, RegisterNode{lost}, "must be given"},
		"a node with one address twice":     {founded, RegisterNode{topology.Node{ID: id(4), Client: "h:1", Peer: "h:1"}}, "is also node"},
		"a node with a bad id":              {founded, RegisterNode{topology.Node{ID: "4", Client: "h:1", Peer: "h:2"}}, "40 lower-case"},
		"settings with an unknown policy":   {founded, SetSettings{policy}, "maxmemory-policy"},
		"no settings":                       {founded, SetSettings{}, "maxmemory-policy"},
		"a setting before init":             {nil, ChangeSettings{MaxMemory: new(int64(1))}, "not initialised"},
		"an unknown policy":                 {founded, ChangeSettings{MaxMemoryPolicy: new("any")}, "maxmemory-policy"},
		"a leader for no group":             {founded, PreferLeader{9, id(1)}, "does not exist"},
		"a leader without a replica":        {append(founded, RegisterNode{node(4)}), PreferLeader{1, id(4)}, "holds no replica"},
		"a replica for no group":            {founded, AddReplica{9, id(1)}, "does not exist"},
		"a replica before the groups":       {nil, AddReplica{1, id(1)}, "not initialised"},
		"a replica on an unknown node":      {founded, AddReplica{1, id(9)}, "not known"},
		"a second replica on a node":        {founded, AddReplica{1, id(1)}, "already"},
		"two replicas at a time":            {append(adding, RegisterNode{node(5)}), AddReplica{1, id(5)}, "is joining group 1"},
		"one comes, one goes":               {adding, RemoveReplica{1, id(1)}, "is joining group 1"},
		"one goes, one comes":               {append(founded, RegisterNode{node(4)}, RemoveReplica{1, id(1)}), AddReplica{1, id(4)}, "is leaving group 1"},
		"removal of what is not there":      {append(founded, RegisterNode{node(4)}), RemoveReplica{1, id(4)}, "holds no replica"},
		"removal of the last replica":       {lone, RemoveReplica{1, id(3)}, "the only replica"},
		"added without having been asked":   {append(founded, RegisterNode{node(4)}), ReplicaAdded{1, id(4)}, "is not joining"},
		"removed without having been asked": {founded, ReplicaRemoved{1, id(1)}, "is not leaving"},
		"removal of a node that is joining": {adding, RemoveNode{id(4)}, "about to join or leave group 1"},
		"removal of a node with replicas":   {founded, RemoveNode{id(1)}, "holds replicas of 2 groups"},
		"removal of a voter":                {[]Change{initial()}, RemoveNode{id(1)}, "voter of placement"},
	} {
		s := after(t, c.before...)
		next, err := s.Apply(Command{c.do})
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a refusal with %q", name, err, c.want)
		}
		if next != s {
			t.Errorf("%s: refused, but the state changed", name)
		}
	}
}
