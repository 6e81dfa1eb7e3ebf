package bootstrap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/placement/topology"
)

// Record is what a node may never forget: it is on disk before any other node can see its effect.
type Record struct {
	// Cluster is the cluster that the node belongs to. Once set it never changes.
	Cluster string `json:"cluster,omitempty"`
	// Accepted is the one proposal that the node has accepted. Once set it never changes.
	Accepted *Proposal `json:"accepted,omitempty"`
}

// Hello is what a node tells about itself to whoever asks.
type Hello struct {
	Node topology.Node `json:"node"`
	// Expect is the node's --bootstrap-expect; 0 takes no part in founding unless it is asked to.
	Expect int `json:"expect,omitempty"`
	Record
}

// Verb names an action.
type Verb string

// The actions.
const (
	// Wait: nothing to do now; greet the others again and decide anew.
	Wait Verb = "wait"
	// Propose: make a proposal of Action.Nodes and accept it.
	Propose Verb = "propose"
	// Accept: write Action.Proposal into Record.Accepted.
	Accept Verb = "accept"
	// Found: all have accepted; write its id into Record.Cluster and found the cluster.
	Found Verb = "found"
	// Join: become a member of the cluster that Action.Via belongs to.
	Join Verb = "join"
	// Halt: this cannot go on without the operator; Why says what to do. Greeting goes on, things may change.
	Halt Verb = "halt"
	// Done: the node belongs to a cluster.
	Done Verb = "done"
)

// Action is the next thing to do, and why.
type Action struct {
	Verb     Verb
	Why      string
	Nodes    []topology.Node
	Proposal *Proposal
	Via      Hello
}

// Decide names the next action of node self, which expects to found a cluster of expect nodes (0: it waits to be told),
// has written r, and was greeted by heard: the newest word of each other node, none older than a few seconds.
func Decide(self topology.Node, expect int, r Record, heard []Hello) Action {
	heard = slices.SortedFunc(slices.Values(heard), func(a, b Hello) int { return byID(a.Node, b.Node) })
	heard = slices.DeleteFunc(heard, func(h Hello) bool { return h.Node.ID == self.ID })
	switch {
	case r.Cluster != "":
		return Action{Verb: Done, Why: "this node belongs to cluster " + r.Cluster}
	case r.Accepted != nil:
		return complete(self, r.Accepted, heard)
	}
	if i := slices.IndexFunc(heard, func(h Hello) bool { return h.Cluster != "" }); i >= 0 {
		return joinOne(heard, heard[i])
	}
	if a, ok := accept(self, expect, heard); ok {
		return a
	}
	return propose(self, expect, heard)
}

// joinOne joins the only cluster in sight. With two in sight a guess could put the node into the wrong one for ever.
func joinOne(heard []Hello, via Hello) Action {
	for _, h := range heard {
		if h.Cluster != "" && h.Cluster != via.Cluster {
			return Action{Verb: Halt, Why: fmt.Sprintf("node %s belongs to cluster %s and node %s to cluster %s: remove the wrong one from --join",
				via.Node.ID, via.Cluster, h.Node.ID, h.Cluster)}
		}
	}
	return Action{Verb: Join, Via: via, Why: fmt.Sprintf("node %s belongs to cluster %s", via.Node.ID, via.Cluster)}
}

// accept looks for a proposal that lists self.
func accept(self topology.Node, expect int, heard []Hello) (Action, bool) {
	var refused Action
	for _, h := range heard {
		p := h.Accepted
		if p == nil || !p.Lists(self.ID) {
			continue
		}
		if why := objection(p, expect, heard); why != "" {
			refused = Action{Verb: Halt, Why: why}
			continue
		}
		return Action{Verb: Accept, Proposal: p, Why: fmt.Sprintf("node %s proposed cluster %s", p.Proposer, p.Cluster)}, true
	}
	return refused, refused.Verb != ""
}

// objection says why p must not be accepted, or "".
func objection(p *Proposal, expect int, heard []Hello) string {
	if err := p.Check(); err != nil {
		return err.Error()
	}
	if expect > 0 && len(p.Nodes) != expect {
		return fmt.Sprintf("node %s proposed a cluster of %d nodes, but --bootstrap-expect is %d here: make them the same", p.Proposer, len(p.Nodes), expect)
	}
	if rival, ok := rivalOf(p, heard); ok {
		return stuck(p, rival)
	}
	return ""
}

// rivalOf finds a founder of p that can never accept it.
func rivalOf(p *Proposal, heard []Hello) (Hello, bool) {
	for _, h := range heard {
		other := h.Cluster
		if h.Accepted != nil {
			other = h.Accepted.Cluster
		}
		if p.Lists(h.Node.ID) && other != "" && other != p.Cluster {
			return h, true
		}
	}
	return Hello{}, false
}

// stuck explains to a node what becomes of p. Whoever is bound to a dead proposal holds no data, and only such nodes may
// be told to delete anything: the rival may be a founded cluster already, even if it does not know it yet.
func stuck(p *Proposal, rival Hello) string {
	other := rival.Cluster
	if other == "" {
		other = rival.Accepted.Cluster
	}
	return fmt.Sprintf("cluster %s, proposed by node %s, can never be founded because node %s is bound to cluster %s: stop each node that logs that it accepted the former, delete its data folder (it is empty) and start it again",
		p.Cluster, p.Proposer, rival.Node.ID, other)
}

// complete brings the accepted proposal p to its end.
func complete(self topology.Node, p *Proposal, heard []Hello) Action {
	if slices.ContainsFunc(heard, func(h Hello) bool { return h.Cluster == p.Cluster }) {
		return Action{Verb: Found, Proposal: p, Why: "another founder has founded it"}
	}
	if rival, ok := rivalOf(p, heard); ok {
		return Action{Verb: Halt, Why: stuck(p, rival)}
	}
	var missing []string
	for i := range p.Nodes {
		n := &p.Nodes[i]
		// The proposer accepted before it told anybody: that p is here proves it.
		if n.ID != self.ID && n.ID != p.Proposer && !hasAccepted(p, n.ID, heard) {
			missing = append(missing, fmt.Sprintf("%s (%s)", n.ID, n.Peer))
		}
	}
	if len(missing) > 0 {
		return Action{Verb: Wait, Why: fmt.Sprintf("cluster %s waits for the acceptance of node %s; if that node is lost for ever and no other node belongs to a cluster, stop all nodes, delete their data folders and start again",
			p.Cluster, strings.Join(missing, ", "))}
	}
	return Action{Verb: Found, Proposal: p, Why: fmt.Sprintf("all %d nodes have accepted it", len(p.Nodes))}
}

func hasAccepted(p *Proposal, id topology.NodeID, heard []Hello) bool {
	return slices.ContainsFunc(heard, func(h Hello) bool {
		return h.Node.ID == id && h.Accepted != nil && h.Accepted.Cluster == p.Cluster
	})
}

// propose makes a proposal if exactly the expected nodes are known, all are free, and self has the lowest id. Nodes that
// expect nothing join later.
func propose(self topology.Node, expect int, heard []Hello) Action {
	if expect == 0 {
		return Action{Verb: Wait, Why: "this node waits for a cluster behind --join, or for 'quorate cluster init'"}
	}
	nodes := []topology.Node{self}
	for _, h := range heard {
		if h.Accepted != nil {
			return Action{Verb: Wait, Why: fmt.Sprintf("node %s takes part in founding cluster %s without this node, which will join it afterwards", h.Node.ID, h.Accepted.Cluster)}
		}
		if h.Expect == 0 {
			continue
		}
		if h.Expect != expect {
			return Action{Verb: Halt, Why: fmt.Sprintf("--bootstrap-expect is %d here and %d on node %s (%s): make them the same", expect, h.Expect, h.Node.ID, h.Node.Peer)}
		}
		nodes = append(nodes, h.Node)
	}
	slices.SortFunc(nodes, byID)
	switch {
	case len(nodes) < expect:
		return Action{Verb: Wait, Why: fmt.Sprintf("%d of %d expected nodes are known: %s", len(nodes), expect, list(nodes))}
	case len(nodes) > expect:
		return Action{Verb: Halt, Why: fmt.Sprintf("--bootstrap-expect is %d, but %d nodes are here: %s; make the number right on all of them", expect, len(nodes), list(nodes))}
	case nodes[0].ID != self.ID:
		return Action{Verb: Wait, Why: fmt.Sprintf("all %d nodes are known; node %s (%s) will propose the cluster", expect, nodes[0].ID, nodes[0].Peer)}
	}
	return Action{Verb: Propose, Nodes: nodes, Why: fmt.Sprintf("all %d nodes are known and this one has the lowest id", expect)}
}

func list(nodes []topology.Node) string {
	var out []string
	for i := range nodes {
		out = append(out, nodes[i].ID.Short()+" ("+nodes[i].Peer+")")
	}
	return strings.Join(out, ", ")
}
