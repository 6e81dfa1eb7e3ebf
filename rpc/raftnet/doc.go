// Package raftnet is the Raft transport of one group over package peer, with the guards that hashicorp/raft lacks:
// the commit clamp, serial heartbeats, send-time acknowledgements, the promise guard and fenced transfers.
package raftnet
