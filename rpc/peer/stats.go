package peer

import "sync/atomic"

// Stats counts since Listen; all connections together.
type Stats struct {
	// Dials and DialErrors count attempts to connect; Accepted and Refused those of others.
	Dials, DialErrors, Accepted, Refused uint64
	// Calls were sent; Unanswered are those of them whose outcome is unknown.
	Calls, Unanswered uint64
	// Overloads are requests refused and replies dropped because a limit was reached.
	Overloads uint64
	// Damaged are frames that arrived otherwise than they were sent: each ended its connection.
	Damaged uint64
	// Flushes are write calls, each for one frame or more.
	Flushes uint64
	// BytesIn and BytesOut count frames without streams; StreamBytesIn and StreamBytesOut the contents of streams.
	BytesIn, BytesOut, StreamBytesIn, StreamBytesOut uint64
	// Connections is how many are open now, both ways.
	Connections int
}

type counters struct {
	dials, dialErrors, accepted, refused             atomic.Uint64
	calls, unanswered, overloads, damaged, flushes   atomic.Uint64
	bytesIn, bytesOut, streamBytesIn, streamBytesOut atomic.Uint64
}

// Stats returns the counters.
func (n *Node) Stats() Stats {
	n.mu.Lock()
	open := len(n.open)
	n.mu.Unlock()
	s := &n.stats
	return Stats{
		Dials: s.dials.Load(), DialErrors: s.dialErrors.Load(), Accepted: s.accepted.Load(), Refused: s.refused.Load(),
		Calls: s.calls.Load(), Unanswered: s.unanswered.Load(), Overloads: s.overloads.Load(), Damaged: s.damaged.Load(), Flushes: s.flushes.Load(),
		BytesIn: s.bytesIn.Load(), BytesOut: s.bytesOut.Load(),
		StreamBytesIn: s.streamBytesIn.Load(), StreamBytesOut: s.streamBytesOut.Load(),
		Connections: open,
	}
}
