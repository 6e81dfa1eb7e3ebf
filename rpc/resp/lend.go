package resp

// What a connection needs only while it has something to do is lent by its loop. So thousands of connections that wait need none of it,
// and those that do not wait use the same few pieces, one after the other.

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
	if !c.seat.away && c.run.idle() && c.heavy == nil {
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

// takeBuffer takes the read buffer back if it is empty.
func (l *loop) takeBuffer(c *conn) {
	if len(c.in.buf) == inboxLent && c.in.empty() {
		l.inboxes.give(c.in.buf)
		c.in = inbox{}
	}
}
