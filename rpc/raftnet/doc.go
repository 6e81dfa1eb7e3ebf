// Package raftnet is the Raft transport of one group over package peer, with the guards that hashicorp/raft v1.8.0
// lacks: the commit clamp (F1), serial heartbeats (F2), send-time acknowledgements (F3, F4), the promise guard under
// the read lease, and fenced leadership transfers. DESIGN.md beside this file has the argument why they suffice,
// shardgroup/consensus/DESIGN.md the list of faults (F1 to F9) and lease hazards.
//
// A Mux shares one Link (a *peer.Node) among all groups of a node; Mux.Open gives the raft.Transport of one.
// The leader's side of the lease is SetVoters, QuorumSent, LeaseUntil, Revoke and AckNotify; Beat asks for a fresh acknowledgement.
//
// Time is Go's monotonic clock. It goes on while a process is stopped (SIGSTOP), but not while a machine is
// suspended: on machines that may be, a leader must confirm each read (QuorumSent) and not use the lease.
package raftnet
