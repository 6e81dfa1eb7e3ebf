package node

import "github.com/prometheus/client_golang/prometheus"

// Overwrite changes a record of a node's stable store, to show the next run another past.
var Overwrite = overwrite

// Metrics are a node's.
func Metrics(n *Node) prometheus.Collector { return collector{n} }
