package resp

import (
	"errors"
	"time"
)

// errWouldBlock: nothing more can be read or written at the moment.
var errWouldBlock = errors.New("would block")

func (c *conn) pendingOut() int { return len(c.out) - c.sent }

// flush sends what was collected, or has a loop send it soon. False: the client must read first.
func (c *conn) flush() bool {
	if n := c.pendingOut(); n > 0 && c.loop != nil && c.loop.stage(c, n) {
		return true
	}
	return c.transmitOut()
}

// transmitOut sends what was collected. False: the client must read first.
func (c *conn) transmitOut() bool {
	if c.pendingOut() > 0 {
		n, blocked := c.transmit(c.out[c.sent:])
		if c.sent += n; blocked {
			c.clog(n, c.pendingOut())
			return false
		}
	}
	c.outSent()
	return true
}

// clog notes that the client must read before more can be sent: it has taken so many bytes now, and left so many.
func (c *conn) clog(taken, left int) {
	if taken > 0 || !c.seat.clogged {
		c.seat.took = time.Now()
	}
	c.seat.clogged = true
	c.owe(left)
}

// stuck reports whether the client has taken nothing of its replies for so long that it counts as idle.
func (c *conn) stuck(now time.Time) bool {
	patience := c.patience()
	return patience > 0 && c.seat.clogged && now.Sub(c.seat.took) > patience
}

// owe lets others know how many bytes of replies the client has not taken.
func (c *conn) owe(bytes int) {
	c.s.stats.owed.Add(int64(bytes) - c.owed.Swap(int64(bytes)))
}

// outSent makes room for more replies.
func (c *conn) outSent() {
	if c.seat.clogged {
		c.seat.clogged = false
		c.owe(0)
	}
	c.sent = 0
	if c.out = c.out[:0]; cap(c.out) > maxKeptOut {
		c.out = nil
	}
}

// send sends b behind what was collected, or has a loop send it soon. What cannot be sent at once is kept.
func (c *conn) send(b []byte) {
	n := 0
	if c.pendingOut() == 0 && !c.aside && (c.loop == nil || !c.loop.stage(c, len(b))) {
		var blocked bool
		if n, blocked = c.transmit(b); blocked {
			c.clog(n, len(b)-n)
		}
	}
	c.out = append(c.out, b[n:]...)
}

// transmit writes b and says how much of it was taken. After an error that is all: nobody reads any more.
func (c *conn) transmit(b []byte) (n int, blocked bool) {
	n, err := c.wire.Write(b)
	c.s.stats.bytesOut.Add(uint64(n))
	switch {
	case err == nil:
		return len(b), false
	case errors.Is(err, errWouldBlock):
		return n, true
	}
	c.closing = true
	return len(b), false
}
