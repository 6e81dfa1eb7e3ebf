// Package peer connects nodes: one listener and one set of connections per pair of nodes carry Raft traffic of all
// groups, snapshots, and internal calls with deadlines.
package peer
