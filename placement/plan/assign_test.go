package plan

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

func nodeID(n int) topology.NodeID { return topology.NodeID(fmt.Sprintf("%040x", 0xabc000+n*7919)) }

func drawNodes(t *rapid.T, most, zones int) []topology.Node {
	nodes := make([]topology.Node, rapid.IntRange(1, most).Draw(t, "nodes"))
	for i := range nodes {
		nodes[i] = topology.Node{ID: nodeID(i), Weight: 100}
		if zones > 1 {
			nodes[i].Zone = fmt.Sprint("z", rapid.IntRange(1, zones).Draw(t, "zone"))
		}
	}
	return nodes
}

func groupIDs(n int) []slot.GroupID {
	ids := make([]slot.GroupID, n)
	for i := range ids {
		ids[i] = slot.GroupID(i + 1)
	}
	return ids
}

func loads(held map[slot.GroupID][]topology.NodeID) map[topology.NodeID]int {
	out := map[topology.NodeID]int{}
	for _, ids := range held {
		for _, id := range ids {
			out[id]++
		}
	}
	return out
}

func TestAssignIsCompleteDistinctAndBalanced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 12, 1)
		groups := groupIDs(rapid.IntRange(1, 60).Draw(t, "groups"))
		replicas := rapid.IntRange(1, 5).Draw(t, "replicas")
		held := Assign(nodes, groups, replicas, nil)
		for _, g := range groups {
			if len(held[g]) != min(replicas, len(nodes)) {
				t.Fatalf("group %d has %d replicas on %d nodes", g, len(held[g]), len(nodes))
			}
			if distinct := slices.Compact(slices.Sorted(slices.Values(held[g]))); len(distinct) != len(held[g]) {
				t.Fatalf("group %d is on %v", g, held[g])
			}
		}
		load := loads(held)
		least, most := math.MaxInt, 0
		for i := range nodes {
			least, most = min(least, load[nodes[i].ID]), max(most, load[nodes[i].ID])
		}
		if most-least > 1 {
			t.Fatalf("equal nodes hold from %d to %d replicas", least, most)
		}
	})
}

func TestAssignFollowsWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 10, 1)
		for i := range nodes {
			nodes[i].Weight = rapid.SampledFrom([]int{0, 50, 100, 200}).Draw(t, "weight")
		}
		groups := groupIDs(rapid.IntRange(10, 60).Draw(t, "groups"))
		a := newAssignment(nodes, groups, 2)
		load := loads(Assign(nodes, groups, 2, nil))
		for _, s := range a.servers {
			if off := math.Abs(float64(load[s.node.ID]) - s.share); off > 1.5 {
				t.Fatalf("node of weight %d holds %d replicas, its share is %.1f", s.node.Weight, load[s.node.ID], s.share)
			}
		}
		for i := range nodes {
			if nodes[i].Weight == 0 && load[nodes[i].ID] > 0 {
				t.Fatal("a node of weight 0 got a replica")
			}
		}
	})
}

func TestAssignSpreadsOverZones(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 12, 4)
		groups := groupIDs(rapid.IntRange(1, 40).Draw(t, "groups"))
		zone, zones := map[topology.NodeID]string{}, map[string]bool{}
		for _, n := range nodes {
			zone[n.ID], zones[n.Zone] = n.Zone, true
		}
		for g, ids := range Assign(nodes, groups, 3, nil) {
			used := map[string]bool{}
			for _, id := range ids {
				used[zone[id]] = true
			}
			if want := min(len(ids), len(zones)); len(used) != want {
				t.Fatalf("group %d lies in %d zones, %d are possible: %v", g, len(used), want, ids)
			}
		}
	})
}

// A node that joins takes its share and nothing else moves.
func TestAssignMovesOnlyToTheNewNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 12, 1)
		groups := groupIDs(rapid.IntRange(1, 60).Draw(t, "groups"))
		replicas := rapid.IntRange(1, min(3, len(nodes))).Draw(t, "replicas")
		before := Assign(nodes, groups, replicas, nil)
		if again := Assign(nodes, groups, replicas, before); !maps.EqualFunc(again, before, slices.Equal) {
			t.Fatal("asking again changed the assignment")
		}
		added := topology.Node{ID: nodeID(99), Weight: 100}
		after := Assign(append(slices.Clone(nodes), added), groups, replicas, before)
		moved := 0
		for g, ids := range after {
			for _, id := range ids {
				if id == added.ID {
					moved++
				} else if !slices.Contains(before[g], id) {
					t.Fatalf("group %d moved to %s, which was there before", g, id)
				}
			}
		}
		total := float64(len(groups) * replicas)
		if share := total / float64(len(nodes)+1); math.Abs(float64(moved)-share) >= 1 {
			t.Fatalf("%d of %.0f replicas moved to the new one of %d nodes, its share is %.1f", moved, total, len(nodes)+1, share)
		}
	})
}

func TestAssignRefillsWhatANodeLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 12, 1)
		groups := groupIDs(rapid.IntRange(1, 60).Draw(t, "groups"))
		before := Assign(nodes, groups, 3, nil)
		gone := nodes[0].ID
		after := Assign(nodes[1:], groups, 3, before)
		kept := 0
		for g, ids := range after {
			if len(ids) != min(3, len(nodes)-1) || slices.Contains(ids, gone) {
				t.Fatalf("group %d is on %v after %s left", g, ids, gone)
			}
			for _, id := range ids {
				if slices.Contains(before[g], id) {
					kept++
				}
			}
		}
		all := len(groups) * min(3, len(nodes))
		// What the node held must move, and a few more may, to even out.
		if least := all - loads(before)[gone] - len(nodes); kept < least {
			t.Fatalf("only %d of %d replicas stayed, want %d at least", kept, all, least)
		}
	})
}

func TestAssignIgnoresTheOrderOfNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 8, 3)
		groups := groupIDs(rapid.IntRange(1, 20).Draw(t, "groups"))
		a := Assign(nodes, groups, 3, nil)
		b := Assign(rapid.Permutation(nodes).Draw(t, "order"), groups, 3, nil)
		if !maps.EqualFunc(a, b, slices.Equal) {
			t.Fatalf("%v and %v from the same nodes", a, b)
		}
	})
}

func TestFirstGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, 9, 3)
		for i := range nodes {
			nodes[i].Client, nodes[i].Peer = fmt.Sprintf("h:%d", 2*i+1), fmt.Sprintf("h:%d", 2*i+2)
		}
		nodes[0].Voter = true
		seeds := rapid.SliceOfN(rapid.Uint64(), 1, 40).Draw(t, "seeds")
		m := &topology.Map{Epoch: 1, Cluster: fmt.Sprintf("%040x", 1), Nodes: nodes, Settings: topology.DefaultSettings()}
		m.Groups = FirstGroups(nodes, 3, seeds)
		for _, g := range m.Groups {
			for _, r := range g.Genesis {
				for n := int(r.First); n <= int(r.Last); n++ {
					m.Slots[n] = g.ID
				}
			}
		}
		slices.SortFunc(m.Nodes, func(a, b topology.Node) int { return cmpID(a.ID, b.ID) })
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		checkSpread(t, m)
	})
}

func cmpID(a, b topology.NodeID) int {
	if a < b {
		return -1
	}
	return 1
}

// checkSpread: slots differ by one at most. Leaders too where every node holds every group; elsewhere no chain of
// hand-overs may be left that would even them out.
func checkSpread(t *rapid.T, m *topology.Map) {
	least, most := slot.Count, 0
	held, leads, count := map[slot.GroupID][]topology.NodeID{}, map[slot.GroupID]topology.NodeID{}, map[topology.NodeID]int{}
	var ids []slot.GroupID
	for _, g := range m.Groups {
		n := g.Genesis[0].Len()
		least, most = min(least, n), max(most, n)
		held[g.ID], leads[g.ID] = g.Members, g.Members[0]
		count[g.Members[0]]++
		ids = append(ids, g.ID)
	}
	if most-least > 1 {
		t.Fatalf("groups own from %d to %d slots", least, most)
	}
	if len(m.Nodes) <= 3 {
		for _, n := range m.Nodes {
			if c := count[n.ID]; c < len(ids)/len(m.Nodes) || c > len(ids)/len(m.Nodes)+1 {
				t.Fatalf("%d groups on %d nodes, one leads %d of them", len(ids), len(m.Nodes), c)
			}
		}
	}
	for _, n := range m.Nodes {
		if chain := chainFrom(n.ID, ids, held, leads, count); chain != nil {
			t.Fatalf("leads %v could be evened out by %v", count, chain)
		}
	}
}
