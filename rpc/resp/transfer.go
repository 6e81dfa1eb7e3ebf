package resp

import (
	"errors"

	"github.com/quorate/quorate/rpc/resp/ring"
	"github.com/quorate/quorate/shardgroup"
)

const (
	// together is how many connections of a turn are read from, or written to, with one system call, where the kernel has
	// io_uring. It copies all that is read or written while no garbage collection can begin.
	together = 16
	// maxStaged bounds the replies of a connection that are sent together with those of others. What a system call of its own costs
	// is nothing beside copying more.
	maxStaged = 8 << 10
)

// serve takes the connections further that something has happened to.
func (l *loop) serve(ready []event, readers []*conn) []*conn {
	for len(ready) > 0 {
		n := min(len(ready), together)
		l.receive(ready[:n])
		for _, e := range ready[:n] {
			if c := l.at(e.fd); c != nil {
				l.drive(c)
				if l.readOps >= shardgroup.ReadTogether {
					readers = l.answer(readers[:0])
				}
			}
		}
		if ready = ready[n:]; len(l.staged) >= together {
			l.sendStaged()
		}
	}
	return readers
}

// receive notes who can be read from, and reads from those that wait for input if there are several. Those that are sending
// something large are read from alone.
func (l *loop) receive(ready []event) {
	l.parties = emptied(l.parties)
	for _, e := range ready {
		c := l.at(e.fd)
		if c == nil {
			continue
		}
		c.seat.readable, c.seat.hungUp = c.seat.readable || e.readable, c.seat.hungUp || e.ended
		if l.ring != nil && c.seat.readable && c.waitsForInput() && len(c.in.buf) <= inboxRoomy {
			l.parties = append(l.parties, c)
		}
	}
	if len(l.parties) < 2 {
		return
	}
	for _, c := range l.parties {
		l.lendBuffer(c)
		l.ring.Receive(c.seat.fd, c.in.room())
	}
	l.s.stats.sharedReads.Add(uint64(len(l.parties)))
	for i, got := range l.ring.Run() {
		c := l.parties[i]
		if n, ok := got.Bytes(); ok {
			c.filled(n)
			c.seat.filled = true
			c.noteReadable()
		} else if got == ring.WouldBlock {
			c.seat.readable = false
		}
		// Else the connection has ended: it is read from once more, alone, and found so.
	}
}

// fill reads what there is. False: the client has gone.
func (l *loop) fill(c *conn) bool {
	l.lendBuffer(c)
	n, err := c.fill()
	if errors.Is(err, errWouldBlock) {
		c.seat.readable = false
		return true
	}
	c.noteReadable()
	return n > 0
}

// noteReadable notes after a read whether there may be more. What did not fill the buffer was all there is; for more, an event will
// come. Only the end of the client's side has none of its own.
func (c *conn) noteReadable() { c.seat.readable = c.in.full || c.seat.hungUp }

// stage has what the connection collects sent at the end of the turn, together with what others do. False: it must be sent now.
func (l *loop) stage(c *conn, bytes int) bool {
	if l.ring == nil || c.aside || c.closing || c.seat.clogged || bytes > maxStaged || l.s.isStopping() {
		return false
	}
	if !c.seat.staged {
		c.seat.staged = true
		l.staged = append(l.staged, c)
	}
	return true
}

// sendStaged sends what was staged.
func (l *loop) sendStaged() {
	for staged := l.staged; len(staged) > 0; {
		n := min(len(staged), together)
		l.parties = emptied(l.parties)
		for _, c := range staged[:n] {
			c.seat.staged = false
			// Where work is under way, it was sent before that; drop sends what an ended connection had.
			switch {
			case c.seat.ended, c.seat.away, c.pendingOut() == 0:
			case c.pendingOut() > maxStaged:
				l.sendAlone(c)
			default:
				l.parties = append(l.parties, c)
			}
		}
		l.send(l.parties)
		staged = staged[n:]
	}
	l.parties, l.staged = emptied(l.parties), emptied(l.staged)
}

func (l *loop) send(parties []*conn) {
	if len(parties) == 1 {
		l.sendAlone(parties[0])
		return
	}
	for _, c := range parties {
		l.ring.Send(c.seat.fd, c.out[c.sent:])
	}
	if len(parties) == 0 {
		return
	}
	l.s.stats.sharedWrites.Add(uint64(len(parties)))
	for i, got := range l.ring.Run() {
		c := parties[i]
		if n, ok := got.Bytes(); ok {
			c.s.stats.bytesOut.Add(uint64(n))
			c.sent += n
		}
		if c.pendingOut() == 0 {
			c.outSent()
		} else {
			// The client must read first, or has gone, or the kernel had no memory: the system call says which.
			l.sendAlone(c)
		}
	}
}

// sendAlone sends what a connection has collected, with a system call of its own. What remains is sent when the client has read.
func (l *loop) sendAlone(c *conn) {
	c.transmitOut()
	if c.closing {
		l.again = append(l.again, c)
	}
}
