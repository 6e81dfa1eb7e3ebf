// Package node assembles one server process: identity, log store, peers, placement, the replicas that the map
// assigns to it, the client listener and the operator's HTTP port; and stops them in the right order.
package node
