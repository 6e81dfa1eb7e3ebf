package resp

import (
	"errors"
	"time"

	"github.com/quorate/quorate/fsm/reply"
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
	c.sent, c.out = 0, c.out[:0]
	switch {
	case cap(c.out) > maxKeptOut:
		c.out = nil
	case c.loop != nil && c.out != nil:
		c.loop.outs.give(c.out)
		c.out = nil
	}
}

// openOut is called before replies are collected.
func (c *conn) openOut() {
	if c.out == nil && c.loop != nil && !c.aside {
		c.out, _ = c.loop.outs.take()
	}
}

// send sends the replies in w behind what was collected, or has a loop send them soon: then what w wrote to is the connection's, and w has
// another buffer. What cannot be sent at once is kept.
func (c *conn) send(w *reply.Writer) {
	b := w.Buf
	switch {
	case c.pendingOut() > 0 || c.aside:
	case c.loop != nil && c.loop.stage(c, len(b)):
		c.openOut()
		c.out, w.Buf = b, c.out
		return
	default:
		n, blocked := c.transmit(b)
		if b = b[n:]; blocked {
			c.clog(n, len(b))
		}
	}
	if len(b) > 0 {
		c.openOut()
		c.out = append(c.out, b...)
	}
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
