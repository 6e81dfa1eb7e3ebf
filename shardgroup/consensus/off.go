package consensus

// Off switches guards off, so that a test can show that it would notice. The zero value, all guards on, is the only
// one that a normal build can have; builds with the tag "mutation" have SwitchOff. F1 to F7 and
// the lease hazards are in DESIGN.md.
type Off struct {
	// Barrier (lease hazard 6): a new leader serves reads before it has applied what earlier terms committed.
	Barrier bool
	// SendTimes (F3): a read is confirmed by raft's VerifyLeader, which counts answers to older messages.
	SendTimes bool
	// Conflict (F6): a snapshot over a conflicting tail is left to raft.
	Conflict bool
	// TransferWatch (F7): a stuck leadership transfer stays stuck.
	TransferWatch bool
	// CommitLimit: followers may apply what their leader's state machine has not applied yet, and its disk may not have.
	CommitLimit bool
	// Durable: the leader's state machine is given what was sent ahead before it is on the leader's disk.
	Durable bool
	// Lease (lease hazard 1): a leader answers reads for as long as it thinks that it leads.
	Lease bool
	// Revoke (lease hazard 4): a leader keeps its lease while it hands leadership over, unless the transport drops it.
	Revoke bool
	// ReadIndex: a leader tells followers how far they must be without making sure that it still leads.
	ReadIndex bool
	// Outcome: an unknown fate counts as "not applied", so that the proposal may be made again.
	Outcome bool
	// Applied: an instance that a guard has restarted applies what its state machine has applied already.
	Applied bool
	// LateSnapshot: a snapshot is installed though the state machine is further than it.
	LateSnapshot bool
	// Reconcile: after a crash, a log that conflicts with the newest snapshot or ends before it is kept.
	Reconcile bool
	// Monotonic: raft is told that the log store is monotonic, and empties the log when it installs a snapshot.
	Monotonic bool
}
