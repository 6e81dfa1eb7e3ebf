// Package consensus runs one hashicorp/raft replica behind our guards and says truthfully what became of a proposal.
//
// It is shared by the shard groups and by placement: opening with safe stores and timings, proposals with three
// outcomes, the read gate (lease or quorum), leadership events, transfers under a watchdog, snapshots by log bytes.
package consensus
