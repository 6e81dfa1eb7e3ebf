package entry

import "github.com/quorate/quorate/fsm/command"

// Entry is one batch: what one Raft log entry of a shard group carries.
type Entry struct {
	// Now is the leader's clock, Unix milliseconds. The machine's clock becomes max(own, Now).
	Now int64
	// Batch identifies the proposal so that its proposer, when it applies the entry, finds the connections that
	// wait for it. Unique per process start; 0 if nobody waits.
	Batch uint64
	// Ops are executed in order. Only writes are logged.
	Ops []Op
}

// Op is one command. Args exclude the command's name and alias the buffer they were parsed from.
type Op struct {
	Cmd command.ID
	// NoTouch: a read is no use of its keys. It is not logged, as reads are not.
	NoTouch bool
	Args    [][]byte
	// Tx is set for EXEC only: the queued commands and what they were conditioned on.
	Tx *Tx
}

// Tx is a MULTI…EXEC transaction: if every watched key still has its version, Ops run as one.
type Tx struct {
	Watches []Watch
	Ops     []Op
}

// Watch is what WATCH saw: the machine's token for the state of the key, be it there or not.
type Watch struct {
	Key     []byte
	Version uint64
}
