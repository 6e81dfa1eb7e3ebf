package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/fsm/slot"
)

// Overwrite changes a record of a node's stable store, to show the next run another past.
var Overwrite = overwrite

var ClientsOf = clientsOf

// Metrics are a node's.
func Metrics(n *Node) prometheus.Collector { return collector{n} }

// Join opens a replica of a group whose leader does not know of it yet, as a node does that is to join the group.
func (n *Node) Join(id slot.GroupID) error {
	g := *n.place.Map().GroupByID(id)
	g.Joining = n.self.ID
	n.replicas.mu.Lock()
	defer n.replicas.mu.Unlock()
	return n.followGroup(&g)
}
