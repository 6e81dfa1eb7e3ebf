package resp

import (
	"slices"

	"github.com/quorate/quorate/shardgroup"
)

// groupCalls are calls for one group.
type groupCalls struct {
	to            Group
	writes, reads []*shardgroup.Call
}

// gather keeps a call until the end of the turn.
func (l *loop) gather(gc *groupCall) {
	i := slices.IndexFunc(l.calls, func(g groupCalls) bool { return g.to == gc.t.replica })
	if i < 0 {
		i = len(l.calls)
		l.calls = append(l.calls, groupCalls{to: gc.t.replica})
	}
	if g := &l.calls[i]; gc.writes {
		g.writes = append(g.writes, &gc.Call)
	} else {
		g.reads = append(g.reads, &gc.Call)
	}
}

// joined notes that reads of c with so many ops wait in l.reads.
func (l *loop) joined(c *conn, ops int) {
	l.readers = append(l.readers, c)
	l.readOps += ops
}

// answer answers the reads that wait and takes their connections further, which may bring new ones, for the next time. What it
// returns is an empty list for that.
func (l *loop) answer(next []*conn) []*conn {
	l.reads.Answer()
	readers := l.readers
	l.readers, l.readOps = next, 0
	for _, c := range readers {
		if c.run.unread() {
			c.run.slow = true
			l.sendAway(c)
		} else if c.run.pending.Add(-1) == 0 {
			l.drive(c)
		}
	}
	clear(readers)
	return readers
}

// submit hands over what was gathered. Groups may come and go, so only as many are remembered as are usual.
func (l *loop) submit() (any bool) {
	for i := range l.calls {
		g := &l.calls[i]
		if len(g.writes) > 0 {
			any = true
			g.to.Submit(g.writes...)
			clear(g.writes)
			g.writes = g.writes[:0]
		}
		if len(g.reads) > 0 {
			any = true
			g.to.SubmitReads(g.reads...)
			clear(g.reads)
			g.reads = g.reads[:0]
		}
	}
	if len(l.calls) > maxGathered {
		l.calls = nil
	}
	return any
}

// maxGathered bounds the groups that a loop remembers between turns.
const maxGathered = 64
