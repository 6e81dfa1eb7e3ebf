package placement

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

var errNotInit = errors.New("the cluster is not initialised yet; try again in a moment")

func (c Init) edit(s *State) error {
	if s.Map != nil {
		if s.Map.Cluster == c.Cluster {
			return nil
		}
		return fmt.Errorf("this is cluster %s already", s.Map.Cluster)
	}
	s.Map = &topology.Map{Cluster: c.Cluster, Nodes: slices.Clone(c.Nodes), Settings: c.Settings}
	sortNodes(s.Map)
	s.Wanted = Wanted{Groups: c.Groups, Replicas: c.Replicas}
	return nil
}

func (c RegisterNode) edit(s *State) error {
	if s.Map == nil {
		return errNotInit
	}
	n := c.Node
	if n.Client == "" || n.Peer == "" {
		return fmt.Errorf("node %s: its client and its peer address must be given", n.ID)
	}
	n.Voter = false
	if old := s.Map.NodeByID(n.ID); old != nil {
		n.Voter = old.Voter
		*old = n
	} else {
		s.Map.Nodes = append(s.Map.Nodes, n)
		sortNodes(s.Map)
	}
	takeOver(s.Map, &n)
	return nil
}

// takeOver clears n's addresses at every other node: whoever had them before is not there any more.
func takeOver(m *topology.Map, n *topology.Node) {
	taken := func(addr string) bool { return addr == n.Client || addr == n.Peer }
	for i := range m.Nodes {
		other := &m.Nodes[i]
		if other.ID == n.ID {
			continue
		}
		if taken(other.Client) {
			other.Client = ""
		}
		if taken(other.Peer) {
			other.Peer = ""
		}
	}
}

func (c CreateGroups) edit(s *State) error {
	if s.Map == nil {
		return errNotInit
	}
	if len(s.Map.Groups) > 0 {
		if slices.EqualFunc(s.Map.Groups, c.Groups, sameGroup) {
			return nil
		}
		return fmt.Errorf("the first %d groups exist already", len(s.Map.Groups))
	}
	for _, g := range c.Groups {
		if err := foundsProperly(&g); err != nil {
			return err
		}
		s.Map.Groups = append(s.Map.Groups, g)
		for _, r := range g.Genesis {
			if !r.Valid() {
				return fmt.Errorf("group %d: genesis range %d-%d: want slots 0-%d", g.ID, r.First, r.Last, slot.Count-1)
			}
			for n := int(r.First); n <= int(r.Last); n++ {
				s.Map.Slots[n] = g.ID
			}
		}
	}
	s.Map = s.Map.Clone() // the command's slices stay the command's
	return nil
}

// sameGroup recognises a group by what it was born with; the order of members may have changed since.
func sameGroup(a, b topology.Group) bool {
	return a.ID == b.ID && a.HashSeed == b.HashSeed && slices.Equal(a.Genesis, b.Genesis) && slices.Equal(a.Founders, b.Founders)
}

// foundsProperly: at its creation the members of a group are its founders.
func foundsProperly(g *topology.Group) error {
	if members := slices.Sorted(slices.Values(g.Members)); !slices.Equal(members, g.Founders) {
		return fmt.Errorf("group %d: founders must be its members, sorted", g.ID)
	}
	return nil
}

func (c SetSettings) edit(s *State) error {
	if s.Map == nil {
		return errNotInit
	}
	s.Map.Settings = c.Settings
	return nil
}

func (c ChangeSettings) edit(s *State) error {
	if s.Map == nil {
		return errNotInit
	}
	replace(&s.Map.Settings.MaxMemory, c.MaxMemory)
	replace(&s.Map.Settings.MaxMemoryPolicy, c.MaxMemoryPolicy)
	replace(&s.Map.Settings.MaxMemorySamples, c.MaxMemorySamples)
	replace(&s.Map.Settings.SpreadLeaders, c.SpreadLeaders)
	return nil
}

// replace sets a field to what is given, if anything is.
func replace[T any](field, given *T) {
	if given != nil {
		*field = *given
	}
}

func (c PreferLeader) edit(s *State) error {
	if s.Map == nil {
		return errNotInit
	}
	g := s.Map.GroupByID(c.Group)
	if g == nil {
		return fmt.Errorf("group %d does not exist", c.Group)
	}
	i := slices.Index(g.Members, c.Node)
	if i < 0 {
		return fmt.Errorf("node %.40s holds no replica of group %d", c.Node, c.Group)
	}
	g.Members = slices.Insert(slices.Delete(g.Members, i, i+1), 0, c.Node)
	return nil
}

func (c RemoveNode) edit(s *State) error {
	if s.Map == nil {
		return errNotInit
	}
	n := s.Map.NodeByID(c.Node)
	if n == nil {
		return nil // removed before
	}
	if groups := s.Map.GroupsOn(c.Node); len(groups) > 0 {
		return fmt.Errorf("node %s holds replicas of %d groups (%v…); they must move first", c.Node, len(groups), groups[0])
	}
	if g := coming(s.Map, c.Node); g != 0 {
		return fmt.Errorf("node %s is about to join or leave group %d; that must end first", c.Node, g)
	}
	if n.Voter {
		return fmt.Errorf("node %s is a voter of placement", c.Node)
	}
	s.Map.Nodes = slices.DeleteFunc(s.Map.Nodes, func(n topology.Node) bool { return n.ID == c.Node })
	return nil
}

func sortNodes(m *topology.Map) {
	slices.SortFunc(m.Nodes, func(a, b topology.Node) int { return strings.Compare(string(a.ID), string(b.ID)) })
}
