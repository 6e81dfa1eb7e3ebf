package shardgroup

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// Call is a run of one connection's commands for one group, in the client's order. Its replies arrive as one
// buffer with marks, so that a connection that talks to one group sends that buffer as it is.
//
// The caller owns a Call before Submit and after Done; in between it belongs to the group. Calls are reused.
type Call struct {
	Ops []entry.Op
	// Reads[i] marks Ops[i] as a read that rides along: executed at its place during apply by the proposer, not logged.
	Reads []bool
	// Out receives the replies; Ends[i] is len(Out.Buf) after the reply of Ops[i].
	Out  reply.Writer
	Ends []int
	// Moved lists, in order, the ops that the group does not own. They were not executed and have empty replies.
	Moved []int
	// Err is nil if every op was executed or is in Moved. Otherwise no op has a reply, and Err is a *NotLeaderError,
	// ErrNoLeader (both: nothing was applied) or ErrUnknown (some, all or none of the writes were applied).
	Err error
	// Done is called exactly once per Submit, from a goroutine of the group; it must not block.
	Done func(*Call)
}

// NotLeaderError says that nothing was applied because another node leads the group.
type NotLeaderError struct {
	// Leader is the leading node's ID.
	Leader string
}

func (e *NotLeaderError) Error() string {
	return fmt.Sprintf("not applied: node %s leads the group", e.Leader)
}

var (
	// ErrNoLeader: nothing was applied; the group had no leader for as long as a call may be parked.
	ErrNoLeader = errors.New("not applied: the group has no leader")
	// ErrOverloaded: nothing was applied; the group's queue is full.
	ErrOverloaded = errors.New("not applied: the group's queue is full")
	// ErrUnknown: the writes were proposed and their fate is not known. Never retried on the caller's behalf.
	ErrUnknown = errors.New("write may or may not have been applied")
)
