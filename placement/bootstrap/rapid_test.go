package bootstrap

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/placement/topology"
)

// Whatever is greeted, lost, restarted and in which order: clusters that were founded share no node, and each was
// accepted by all of its founders.
func TestFoundedClustersAreDisjoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		nodes := rapid.IntRange(2, 6).Draw(t, "nodes")
		for i := range nodes {
			w.add(fmt.Sprintf("n%d", i), fmt.Sprintf("%x", i+1), rapid.IntRange(0, 4).Draw(t, "expect"))
		}
		run(t, w, "init")
		checkFounded(t, w)
	})
}

// With N nodes that expect N, any past ends in one cluster of all once everybody can talk. A dead proposer does not
// matter if another has accepted.
func TestExpectedNodesEndInOneCluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		nodes := rapid.IntRange(1, 5).Draw(t, "nodes")
		for i := range nodes {
			w.add(fmt.Sprintf("n%d", i), fmt.Sprintf("%x", i+1), nodes)
		}
		run(t, w)
		down := map[string]bool{}
		if w.hosts["n0"].disk.Accepted != nil && slices.ContainsFunc(w.sorted()[1:], func(h *host) bool { return h.disk.Accepted != nil }) {
			down["n0"] = rapid.Bool().Draw(t, "the proposer dies")
		}
		if err := w.settle(down); err != nil {
			t.Fatal(err)
		}
		checkFounded(t, w)
		last := w.sorted()[nodes-1].disk.Cluster
		for _, h := range w.sorted() {
			if !down[h.name] && (h.disk.Cluster == "" || h.disk.Cluster != last) {
				t.Fatalf("%s ends with cluster %q, another node with %q: %v", h.name, h.disk.Cluster, last, w.disks())
			}
		}
	})
}

// initAny tells a free host to found a cluster with some others, whatever those are bound to.
func initAny(t *rapid.T, w *world, h *host) {
	if h.disk.Accepted != nil || h.disk.Cluster != "" {
		return
	}
	nodes := []topology.Node{h.self}
	for _, o := range w.sorted() {
		if o != h && rapid.Bool().Draw(t, "named") {
			nodes = append(nodes, o.self)
		}
	}
	w.made++
	p, err := NewProposal(fmt.Sprintf("%040x", 0xc0+w.made), h.self.ID, nodes, Shape{})
	if err != nil {
		t.Fatal(err)
	}
	h.disk.Accepted = p
}

// run plays random greetings, steps, crashes, and whatever more is given.
func run(t *rapid.T, w *world, more ...string) {
	events := append([]string{"greet", "greet", "greet", "step", "step", "restart"}, more...)
	hosts := w.sorted()
	pick := func(label string) *host { return rapid.SampledFrom(hosts).Draw(t, label) }
	for range rapid.IntRange(0, 60).Draw(t, "events") {
		switch rapid.SampledFrom(events).Draw(t, "event") {
		case "greet":
			if a, b := pick("a"), pick("b"); a != b {
				w.greet(a, b)
			}
		case "step":
			h := pick("who")
			before := h.disk
			if _, err := w.step(h); err != nil {
				t.Fatal(err)
			}
			checkSticky(t, before, h.disk)
		case "init":
			initAny(t, w, pick("who"))
		case "restart":
			pick("who").forget()
		}
	}
}

func checkSticky(t *rapid.T, before, after Record) {
	if before.Accepted != nil && after.Accepted != before.Accepted || before.Cluster != "" && after.Cluster != before.Cluster {
		t.Fatalf("the record %v became %v", before, after)
	}
}

func checkFounded(t *rapid.T, w *world) {
	byID := map[topology.NodeID]*host{}
	for _, h := range w.sorted() {
		byID[h.self.ID] = h
	}
	for _, h := range w.sorted() {
		p := h.disk.Accepted
		if h.disk.Cluster == "" || p == nil {
			continue
		}
		for _, n := range p.Nodes {
			if got := byID[n.ID].disk.Accepted; got == nil || got.Cluster != p.Cluster {
				t.Fatalf("%s founded %s, which %s never accepted: %v", h.name, p.Cluster, n.Name, w.disks())
			}
		}
	}
}

func TestNewProposalRefuses(t *testing.T) {
	w := newWorld()
	a, b := w.add("a", "1", 2), w.add("b", "2", 2)
	twin := w.add("twin", "1", 2)
	id := fmt.Sprintf("%040x", 1)
	for name, c := range map[string]struct {
		cluster string
		nodes   []topology.Node
		shape   Shape
		by      topology.NodeID
	}{
		"a short cluster id":     {"c1", []topology.Node{a.self}, Shape{}, a.self.ID},
		"no nodes":               {id, nil, Shape{Groups: 1}, a.self.ID},
		"one id twice":           {id, []topology.Node{a.self, twin.self}, Shape{}, a.self.ID},
		"two voters":             {id, []topology.Node{a.self, b.self}, Shape{Voters: 2}, a.self.ID},
		"a negative group":       {id, []topology.Node{a.self}, Shape{Groups: -1}, a.self.ID},
		"too many replicas":      {id, []topology.Node{a.self}, Shape{Replicas: 99}, a.self.ID},
		"an unknown policy":      {id, []topology.Node{a.self}, Shape{Settings: topology.Settings{MaxMemoryPolicy: "x"}}, a.self.ID},
		"a proposer from afar":   {id, []topology.Node{a.self}, Shape{}, b.self.ID},
		"a node without address": {id, []topology.Node{{ID: a.self.ID}}, Shape{}, a.self.ID},
	} {
		if _, err := NewProposal(c.cluster, c.by, c.nodes, c.shape); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNewProposalVoters(t *testing.T) {
	for name, c := range map[string]struct{ nodes, asked, want int }{
		"alone":             {1, 0, 1},
		"a pair has one":    {2, 0, 1},
		"three by default":  {5, 0, 3},
		"five if asked for": {6, 5, 5},
		"five of four is 3": {4, 5, 3},
		"one if asked for":  {3, 1, 1},
	} {
		w := newWorld()
		var nodes []topology.Node
		for i := range c.nodes {
			nodes = append(nodes, w.add(fmt.Sprint(i), fmt.Sprintf("%x", 15-i), 0).self)
		}
		p, err := NewProposal(fmt.Sprintf("%040x", 1), nodes[0].ID, nodes, Shape{Voters: c.asked})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := p.Voters(); len(got) != c.want || got[0] != p.Nodes[0].ID {
			t.Errorf("%s: voters %v, want the first %d", name, got, c.want)
		}
	}
}
