package raftnet

// Off switches guards off, so that a test can show that it would notice. The zero value, all guards on, is the only
// one that a normal build can have; builds with the tag "mutation" have Mux.SwitchOff. F1 to F7 and
// the lease hazards are in shardgroup/consensus/DESIGN.md.
type Off struct {
	// Clamp (F1): the leader's commit index goes out as raft gives it, past what the request confirms.
	Clamp bool
	// SerialHeartbeats (F2): heartbeats are handled on the network's goroutine, beside Raft's main loop.
	SerialHeartbeats bool
	// SendTimes (F3): an acknowledgement counts from its receipt instead of from the sending of its request.
	SendTimes bool
	// Accepted (F4): every answer counts, a rejection or one of a newer term too.
	Accepted bool
	// Voters (lease hazard 10): acknowledgements of nodes that have no vote count.
	Voters bool
	// Promise (a–c): acknowledgements and votes leave in any order.
	Promise bool
	// BootHold (d): a restarted node votes at once.
	BootHold bool
	// Revoke (lease hazard 4): a leader keeps its lease while it hands leadership over.
	Revoke bool
	// TransferFence (lease hazard 5): a TimeoutNow of any age makes its receiver campaign, and voters believe it.
	TransferFence bool
	// HoldVotes (durability interval): a replica that may have lost acknowledged entries votes at once.
	HoldVotes bool
}
