package bootstrap

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/placement/topology"
)

// Proposal is a cluster that may come to be. Everything that its founders must agree on is in it.
type Proposal struct {
	// Cluster is the new cluster's id and the proposal's identity: 40 random lower-case hex digits.
	Cluster string `json:"cluster"`
	// Proposer made it and accepted it before anybody else saw it.
	Proposer topology.NodeID `json:"proposer"`
	// Nodes are all founders, sorted by id; those with Voter set vote in placement's Raft group.
	Nodes    []topology.Node   `json:"nodes"`
	Groups   int               `json:"groups"`
	Replicas int               `json:"replicas"`
	Settings topology.Settings `json:"settings"`
}

// Shape is what the operator chooses about a new cluster.
type Shape struct {
	// Groups is how many shard groups to create; 0 means as many as there are nodes.
	Groups int `json:"groups"`
	// Replicas is how many nodes hold a group; fewer if there are fewer nodes. 0 means 3.
	Replicas int `json:"replicas"`
	// Voters is how many nodes vote in placement's Raft group: 1, 3 or 5, lowered to 3 or 1 if there are fewer nodes.
	// 0 means 3.
	Voters int `json:"voters"`
	// Settings are those of the new cluster; the zero value means topology.DefaultSettings.
	Settings topology.Settings `json:"settings"`
}

// NewProposal makes proposer's proposal to found cluster with nodes.
func NewProposal(cluster string, proposer topology.NodeID, nodes []topology.Node, shape Shape) (*Proposal, error) {
	p := &Proposal{Cluster: cluster, Proposer: proposer, Nodes: slices.Clone(nodes), Settings: shape.Settings}
	p.Groups = or(shape.Groups, len(nodes))
	p.Replicas = or(shape.Replicas, 3)
	if p.Settings == (topology.Settings{}) {
		p.Settings = topology.DefaultSettings()
	}
	if err := shape.Check(); err != nil {
		return nil, err
	}
	voters := or(shape.Voters, 3)
	for voters > len(nodes) {
		voters -= 2
	}
	slices.SortFunc(p.Nodes, byID)
	for i := range p.Nodes {
		p.Nodes[i].Voter = i < voters
	}
	return p, p.Check()
}

// Check tells whether a cluster may be founded in shape s.
func (s Shape) Check() error {
	switch {
	case s.Groups < 0 || s.Groups > topology.MaxGroups:
		return fmt.Errorf("bootstrap: %d groups: want 1 to %d, or 0 for as many as there are nodes", s.Groups, topology.MaxGroups)
	case s.Replicas < 0 || s.Replicas > topology.MaxMembers:
		return fmt.Errorf("bootstrap: %d replicas: want 1 to %d, or 0 for 3", s.Replicas, topology.MaxMembers)
	case !slices.Contains([]int{0, 1, 3, 5}, s.Voters):
		return fmt.Errorf("bootstrap: %d placement voters: want 1, 3 or 5, or 0 for 3", s.Voters)
	}
	if s.Settings == (topology.Settings{}) {
		return nil
	}
	return s.Settings.Check()
}

func or(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}

func byID(a, b topology.Node) int { return strings.Compare(string(a.ID), string(b.ID)) }

// Check tells whether a cluster could be founded as p says. It checks p as the first map, without groups.
func (p *Proposal) Check() error {
	m := topology.Map{Epoch: 1, Cluster: p.Cluster, Nodes: p.Nodes, Settings: p.Settings}
	if err := m.Validate(); err != nil {
		return fmt.Errorf("bootstrap: proposal: %w", err)
	}
	if p.Groups < 1 || p.Groups > topology.MaxGroups {
		return fmt.Errorf("bootstrap: proposal: %d groups: want 1 to %d", p.Groups, topology.MaxGroups)
	}
	if p.Replicas < 1 || p.Replicas > topology.MaxMembers {
		return fmt.Errorf("bootstrap: proposal: %d replicas: want 1 to %d", p.Replicas, topology.MaxMembers)
	}
	if !p.Lists(p.Proposer) {
		return errors.New("bootstrap: proposal: its proposer is not among its nodes")
	}
	for i := range p.Nodes {
		if p.Nodes[i].Peer == "" || p.Nodes[i].Client == "" {
			return fmt.Errorf("bootstrap: proposal: node %s has no address", p.Nodes[i].ID)
		}
	}
	return nil
}

// Lists reports whether node id is one of the founders.
func (p *Proposal) Lists(id topology.NodeID) bool {
	return slices.ContainsFunc(p.Nodes, func(n topology.Node) bool { return n.ID == id })
}

// Voters lists the founders that vote in placement's Raft group, sorted: its first configuration.
func (p *Proposal) Voters() []topology.NodeID {
	return (&topology.Map{Nodes: p.Nodes}).Voters()
}
