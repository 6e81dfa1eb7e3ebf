package resp

import "slices"

// What a connection needs only while it has something to do is lent by its loop. So thousands of connections that wait need none of it,
// and those that do not wait use the same few pieces, one after the other. Only a read buffer that has grown is kept for a while.

// lendRun lends c a run.
func (l *loop) lendRun(c *conn) {
	if c.run != nil {
		return
	}
	if r, ok := l.runs.take(); ok {
		r.lend(c)
		c.run = r
		return
	}
	c.run = newRun(c)
}

// takeRun takes the run back if nothing is under way. While work is, another goroutine has all of the connection.
func (l *loop) takeRun(c *conn) {
	if c.run != nil && !c.seat.away && c.run.idle() && c.heavy == nil {
		c.run.c = nil
		l.runs.give(c.run)
		c.run = nil
	}
}

// lendBuffer lends c a buffer to read into.
func (l *loop) lendBuffer(c *conn) {
	if c.in.buf != nil {
		return
	}
	if buf, ok := l.inboxes.take(); ok {
		c.in.buf = buf
		return
	}
	c.in.buf = make([]byte, inboxLent)
}

// takeBuffer takes the read buffer back if it is empty. One that has grown is kept, until it was not needed for a while: a client that
// sends large commands one after the other would have it grow anew for each.
func (l *loop) takeBuffer(c *conn) {
	size := len(c.in.buf)
	switch {
	case size == 0 || !c.in.empty():
	case size == inboxLent:
		l.inboxes.give(c.in.buf)
		c.in = inbox{}
	case size > inboxKeep || c.seat.ended:
		c.in = inbox{}
	default:
		c.seat.needed = c.seat.needed || c.in.w > inboxLent
		l.noteGrown(c)
	}
}

// noteGrown puts a connection on the list that dropGrown looks at. Of ten thousand few have grown; the others are not in the processor's
// caches.
func (l *loop) noteGrown(c *conn) {
	if !c.seat.grown {
		c.seat.grown = true
		l.grown = append(l.grown, c)
	}
}

// dropGrown drops the read buffers that have grown and were not needed since it was called last. Connections that are busy come back to
// the list when they wait.
func (l *loop) dropGrown() {
	l.grown = slices.DeleteFunc(l.grown, func(c *conn) bool {
		if c.seat.needed {
			c.seat.needed = false
			return false
		}
		c.seat.grown = false
		if c.waitsForInput() && c.in.empty() {
			c.in = inbox{}
		}
		return true
	})
}

// takeAll takes back from an ended connection what it was lent, and has it keep nothing of its last commands.
func (l *loop) takeAll(c *conn) {
	c.in.r = c.in.w
	l.takeBuffer(c)
	c.outSent()
	l.takeRun(c)
	c.run, c.ownArgs = nil, nil
}
