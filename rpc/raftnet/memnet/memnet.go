// Package memnet is a network in memory for raftnet: it needs no sockets, runs in testing/synctest bubbles, and its
// links can be cut, slowed and watched.
package memnet
