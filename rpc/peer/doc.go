// Package peer connects nodes: one listener and one connection per direction between two nodes carry the calls of
// all groups, with a deadline each. A frame is written whole, so large calls go by a second connection and delay no heartbeat;
// a stream (a snapshot) gets a connection of its own. Replies come back the way of their calls: they are to be small.
//
// A node is named by its ID. Addresses are kept in a book that is filled from the map (SetAddr) and from
// handshakes; a connection is used only after the other side has proved that it knows the cluster secret and
// has said that it is the node that was meant. The proof authenticates the connection's start and nothing is
// encrypted: on a network where others can alter packets, inject a TLS listener and dialer.
//
// The kinds of calls are numbered by their owners: 1–15 raftnet, 16–31 placement, 32–63 node, 64–255 free.
package peer
