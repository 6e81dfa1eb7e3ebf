package raftnet

import (
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// Stats counts since Open what the guards did.
type Stats struct {
	// Clamped requests carried a commit index beyond what they confirm.
	Clamped uint64
	// BusyAcks are heartbeats that were acknowledged while Raft was busy with something else.
	BusyAcks uint64
	// AcksDropped, VotesDropped and TransfersDropped are answers and requests that would have broken a promise.
	AcksDropped, VotesDropped, TransfersDropped uint64
	// CampaignsHeld are own (pre-)vote requests that would have broken a promise.
	CampaignsHeld uint64
}

type counters struct {
	clamped, busyAcks, acksDropped, votesDropped, transfersDropped, campaignsHeld atomic.Uint64
}

// Stats returns the counters.
func (t *Transport) Stats() Stats {
	return Stats{
		Clamped:          t.stats.clamped.Load(),
		BusyAcks:         t.stats.busyAcks.Load(),
		AcksDropped:      t.stats.acksDropped.Load(),
		VotesDropped:     t.stats.votesDropped.Load(),
		TransfersDropped: t.stats.transfersDropped.Load(),
		CampaignsHeld:    t.stats.campaignsHeld.Load(),
	}
}

// drop counts a message that a guard keeps back, and says so to whoever debugs an election.
func (t *Transport) drop(count *atomic.Uint64, what string, with raft.ServerID, term uint64) {
	count.Add(1)
	t.o.Logger.Debug("raft message held back", "group", t.group, "what", what, "with", with, "term", term)
}
