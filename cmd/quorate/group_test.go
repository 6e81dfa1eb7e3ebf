package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// TestANodeLeadsWhatItIsAMemberOf: --all must not order what placement refuses.
func TestANodeLeadsWhatItIsAMemberOf(t *testing.T) {
	const a, b, c, d, e = "a1000000", "a2000000", "c0000000", "d0000000", "e0000000"
	on := func(id slot.GroupID, nodes ...topology.NodeID) client.GroupStatus {
		g := client.GroupStatus{ID: id}
		for _, n := range nodes {
			g.Replicas = append(g.Replicas, client.ReplicaStatus{Group: id, Node: n, State: "down"})
		}
		return g
	}
	joins, leaves := on(3, a, b, d), on(4, a, b, d)
	joins.Joining, leaves.Leaving = d, d
	var s client.Status
	for id, name := range map[topology.NodeID]string{a: "n1", b: "n2", c: "n3", d: "n4", e: "n5"} {
		s.Nodes = append(s.Nodes, client.NodeStatus{Node: topology.Node{ID: id, Name: name}})
	}
	s.Groups = []client.GroupStatus{on(1, a, b, c), on(2, b, c, d), joins, leaves}
	for node, want := range map[string][]slot.GroupID{"n1": {1, 3, 4}, "a1": {1, 3, 4}, "n2": {1, 2, 3, 4}, c: {1, 2}, "n4": {2}} {
		if got, err := groupsOn(s, node); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is a member of %v, %v, want %v", node, got, err, want)
		}
	}
	for node, want := range map[string]string{"n9": "no node is called", "a": "2 nodes", "n5": "no group"} {
		if got, err := groupsOn(s, node); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is a member of %v, %v, want an error that says %q", node, got, err, want)
		}
	}
}
