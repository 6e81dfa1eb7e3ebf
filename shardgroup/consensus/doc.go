// Package consensus runs one hashicorp/raft replica behind our guards and says truthfully what became of a proposal.
//
// It is shared by the shard groups and by placement: opening with safe stores and timings, proposals with three
// outcomes, the read gate (lease or quorum), leadership events, transfers under a watchdog, snapshots by log bytes.
//
// A Replica outlives its hashicorp/raft instance: the transfer watchdog and the snapshot-over-conflict guard stop
// the instance and start another one over the same stores, transport and state machine. Callers see that as a
// short loss of leadership.
//
// The guards that live here are F3/F4 (send-time confirmation and lease, never raft's own), F6 (snapshot over a
// conflicting tail), F7 (transfer deadlock) and F8 (fail-stop stores, no pipelining). DESIGN.md beside this file describes
// these faults of hashicorp/raft and the lease hazards, and where each one's guard and test are.
package consensus
