// Package memnet is a network in memory for raftnet: it needs no sockets, runs in testing/synctest bubbles, and its
// links can be cut, slowed and watched. It keeps peer's contract: what is lost is ErrNoAnswer at the deadline, a node
// that is not there is ErrNotSent at once.
package memnet
