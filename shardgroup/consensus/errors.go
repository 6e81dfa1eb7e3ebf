package consensus

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/fsm/entry"
)

// NotLeaderError says that nothing was applied because this replica does not lead the group.
type NotLeaderError struct {
	// Leader is the leading node's ID, "" if this replica knows of none.
	Leader string
}

func (e *NotLeaderError) Error() string {
	if e.Leader == "" {
		return "not applied: this replica does not lead the group and knows no leader"
	}
	return "not applied: node " + e.Leader + " leads the group"
}

var (
	// ErrUnknown: the proposal was accepted and its fate is not known; it may be applied later. Never retried.
	ErrUnknown = errors.New("proposed, but it is not known whether it was or will be applied")
	// ErrBusy: nothing was applied; the replica's main loop was busy for longer than a proposal may wait.
	ErrBusy = errors.New("not applied: the replica is busy")
	// ErrTransferring: nothing was applied; leadership is being handed over.
	ErrTransferring = errors.New("not applied: leadership is being transferred")
	// ErrTooLarge: nothing was applied; the entry would not fit into a message to another replica.
	ErrTooLarge = fmt.Errorf("not applied: the entry is larger than %d bytes", entry.MaxBytes)
	// ErrClosed: nothing was applied; the replica is closed or restarting.
	ErrClosed = errors.New("not applied: the replica is closed")
	// ErrForgotten ends the process: entries that were applied here are the group's no more. A majority has lost them with its
	// power (durability interval) and has gone on without them. Started again, this node knows them no more either.
	ErrForgotten = errors.New("they may have been applied here, but a majority has lost them with its power: start again to forget them, too")
	// errLate refuses a snapshot that is older than what is here. Its leader hears of that by Transport.RefuseSnapshot.
	errLate = errors.New("it came late")
	// errReceiving keeps a replica from taking a snapshot. It would wait for raft, and others for their turn.
	errReceiving = errors.New("one comes in from the leader")
	// errDeposed refuses a request of raft for a term that this replica does not lead any more.
	errDeposed = errors.New("this replica has been deposed")
	// ErrNotConfirmed: no quorum confirmed in time that this replica still leads.
	ErrNotConfirmed = errors.New("leadership was not confirmed by a quorum")
)

// NotApplied reports whether err promises that the proposal had no effect and never will.
func NotApplied(err error) bool {
	var notLeader *NotLeaderError
	return errors.As(err, &notLeader) || errors.Is(err, ErrBusy) || errors.Is(err, ErrTransferring) ||
		errors.Is(err, ErrTooLarge) || errors.Is(err, ErrClosed)
}
