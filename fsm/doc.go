// Package fsm is the replicated cache: a pure machine from (log entry, state) to (replies, state).
//
// Every replica of a group that applies the same entries holds the same state, byte for byte of its digest. So
// the package has no clock, no I/O, no goroutine, no random source and no knowledge of Raft: time, evictions and
// limits come in through the log. One goroutine applies; any number of goroutines read, under the slots' read locks.
package fsm
