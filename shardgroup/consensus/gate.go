package consensus

import "context"

// Gate decides whether this replica may answer reads from its own state, linearizably. The order is always: Enter (or
// Confirm), read, Check, reply; if Check says no, the result is thrown away. Enter and Check neither lock nor allocate.
type Gate struct{}

// Ticket is a permission that Check examines again after the read. It is good for one pipeline of reads.
type Ticket struct {
	term      uint64
	confirmed bool
}

// Enter opens the fast path: this replica leads, has applied everything of earlier terms, and its lease holds. False
// in quorum mode, on followers, and whenever in doubt.
func (g *Gate) Enter() (Ticket, bool) { panic("contract only") }

// Check reports whether what was read since the ticket was issued may be sent to a client.
func (g *Gate) Check(t Ticket) bool { panic("contract only") }

// Confirm is the slow path: it waits for a round of acknowledgements that begins after the call, shared with all reads
// that arrive in the meantime. Errors: *NotLeaderError, ErrNotConfirmed, ErrClosed, or ctx's.
func (g *Gate) Confirm(ctx context.Context) (Ticket, error) { panic("contract only") }
