package node

import "github.com/quorate/quorate/rpc/peer"

// The calls between nodes that this package answers. Package raftnet has the kinds below 16, placement 16 to 31. Part of
// the wire: do not renumber.
const (
	kindReadIndex peer.Kind = 32 // the index that a follower must reach before it answers a read
	kindStanding  peer.Kind = 33 // does this replica keep out of elections, and how far does its log go?
	kindStatus    peer.Kind = 34 // this node and its replicas, for operators
	kindDigest    peer.Kind = 35 // the digest of a replica at a log index
	kindLeaders   peer.Kind = 36 // who leads what, both ways
	kindSketch    peer.Kind = 37 // a leader's sample of the keys that were used
	kindSnapshot  peer.Kind = 38 // take a snapshot of a replica now
)
