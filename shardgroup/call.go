package shardgroup

import (
	"errors"
	"fmt"
	"time"

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
	// Origin tells the Observer who asks, by any number but 0; local, so it is not logged.
	Origin uint64
	// Out receives the replies; Ends[i] is len(Out.Buf) after the reply of Ops[i].
	Out  reply.Writer
	Ends []int
	// Moved lists, in order, the ops that the group does not own. They were not executed and have empty replies.
	Moved []int
	// Err is nil if every op was executed or is in Moved. Otherwise no op has a reply, and Err is a *NotLeaderError,
	// ErrNoLeader, ErrOverloaded, ErrRefused (all: nothing was applied) or ErrUnknown (some, all or none of the writes
	// were applied).
	Err error
	// Answered is set by Reads.Answer.
	Answered bool
	// Done is called exactly once per Submit or SubmitReads, from another goroutine or from these themselves; it must not block.
	Done func(*Call)

	// What the group knows while the call is its own: when it came, how many bytes it holds in the queue, how many of
	// its ops were applied in earlier entries, and the length of Out.Buf before its first reply.
	since  time.Time
	size   int64
	placed int
	start  int
}

// begin makes c the group's.
func (c *Call) begin(now time.Time) {
	c.since, c.placed, c.start, c.Err = now, 0, len(c.Out.Buf), nil
	c.Ends, c.Moved = c.Ends[:0], c.Moved[:0]
}

// rewind takes back what was answered.
func (c *Call) rewind() {
	c.Out.Buf, c.Ends, c.Moved = c.Out.Buf[:c.start], c.Ends[:0], c.Moved[:0]
}

// fail ends a call without replies.
func (c *Call) fail(err error) {
	c.rewind()
	c.Err = err
	c.Done(c)
}

// rides reports whether the i-th op is a read that is not logged.
func (c *Call) rides(i int) bool { return i < len(c.Reads) && c.Reads[i] }

// bytes is what the call's ops hold in memory, roughly.
func (c *Call) bytes() int64 {
	total := int64(0)
	for i := range c.Ops {
		total += int64(c.Ops[i].Size())
	}
	return total
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
	// ErrRefused: nothing was applied, because an op cannot be logged (an argument or the op is too large). What is
	// wrong with it is in the error that wraps this one.
	ErrRefused = errors.New("not applied: the command cannot be logged")
	// ErrUnknown: the writes were proposed and their fate is not known. Never retried on the caller's behalf.
	ErrUnknown = errors.New("write may or may not have been applied")
)
