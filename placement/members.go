package placement

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// The members of a group change in two steps, each a command: the intent, which the driver then brings about in the group's own
// Raft configuration, and the record that it has. One change at a time per group.

func (c AddReplica) edit(s *State) error {
	g, err := groupOf(s, c.Group)
	if err != nil {
		return err
	}
	switch n := s.Map.NodeByID(c.Node); {
	case slices.Contains(g.Members, c.Node) && g.Leaving != c.Node:
		return fmt.Errorf("node %.40s holds a replica of group %d already", c.Node, c.Group)
	case g.Joining == c.Node:
		return nil
	case g.Joining != "" || g.Leaving != "":
		return errBusy(g)
	case n == nil || n.Peer == "":
		return fmt.Errorf("node %.40s is not known or has no address", c.Node)
	case len(g.Members) >= topology.MaxMembers:
		return fmt.Errorf("group %d has %d members, the most there may be", c.Group, len(g.Members))
	}
	g.Joining = c.Node
	return nil
}

func (c RemoveReplica) edit(s *State) error {
	g, err := groupOf(s, c.Group)
	if err != nil {
		return err
	}
	i := slices.Index(g.Members, c.Node)
	switch {
	case g.Leaving == c.Node:
		return nil
	case g.Joining == c.Node:
		g.Joining, g.Leaving = "", c.Node
		return nil
	case g.Joining != "" || g.Leaving != "":
		return errBusy(g)
	case i < 0:
		return fmt.Errorf("node %.40s holds no replica of group %d", c.Node, c.Group)
	case len(g.Members) == 1:
		return fmt.Errorf("node %.40s holds the only replica of group %d; add another one first", c.Node, c.Group)
	}
	g.Leaving = c.Node
	// Nobody should want it to lead any more.
	g.Members = append(slices.Delete(g.Members, i, i+1), c.Node)
	return nil
}

func (c ReplicaAdded) edit(s *State) error {
	g, err := groupOf(s, c.Group)
	if err != nil || slices.Contains(g.Members, c.Node) {
		return err
	}
	if g.Joining != c.Node {
		return fmt.Errorf("node %.40s is not joining group %d", c.Node, c.Group)
	}
	g.Joining = ""
	g.Members = append(g.Members, c.Node)
	return nil
}

func (c ReplicaRemoved) edit(s *State) error {
	g, err := groupOf(s, c.Group)
	if err != nil {
		return err
	}
	if g.Leaving != c.Node {
		if slices.Contains(g.Members, c.Node) || g.Life(c.Node) == 0 {
			return fmt.Errorf("node %.40s is not leaving group %d", c.Node, c.Group)
		}
		return nil // recorded before
	}
	g.Leaving = ""
	g.Members = slices.DeleteFunc(g.Members, func(id topology.NodeID) bool { return id == c.Node })
	g.Depart(c.Node)
	return nil
}

func groupOf(s *State, id slot.GroupID) (*topology.Group, error) {
	if s.Map == nil {
		return nil, errNotInit
	}
	g := s.Map.GroupByID(id)
	if g == nil {
		return nil, fmt.Errorf("group %d does not exist", id)
	}
	return g, nil
}

func errBusy(g *topology.Group) error {
	if g.Joining != "" {
		return fmt.Errorf("node %s is joining group %d; wait until it has, or take that back (remove-replica)", g.Joining.Short(), g.ID)
	}
	return fmt.Errorf("node %s is leaving group %d; wait until it has", g.Leaving.Short(), g.ID)
}

// coming is a group that a node is joining or leaving, 0 if there is none.
func coming(m *topology.Map, id topology.NodeID) slot.GroupID {
	for i := range m.Groups {
		if g := &m.Groups[i]; g.Joining == id || g.Leaving == id {
			return g.ID
		}
	}
	return 0
}
