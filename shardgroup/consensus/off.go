package consensus

// Off switches guards off, so that a test can show that it would notice. The zero value, all guards on, is the only
// one that a normal build can have; builds with the tag "mutation" have SwitchOff.
type Off struct {
	// Barrier (lease hazard 6): a new leader serves reads before it has applied what earlier terms committed.
	Barrier bool
	// SendTimes (F3): a read is confirmed by raft's VerifyLeader, which counts answers to older messages.
	SendTimes bool
	// Conflict (F6): a snapshot over a conflicting tail is left to raft.
	Conflict bool
	// TransferWatch (F7): a stuck leadership transfer stays stuck.
	TransferWatch bool
	// CommitLimit: followers may apply what their leader's state machine has not applied yet.
	CommitLimit bool
}
