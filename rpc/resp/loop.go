package resp

import (
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/quorate/quorate/rpc/resp/ring"
	"github.com/quorate/quorate/shardgroup"
)

// loop drives many connections on one goroutine: it reads what came, lets each connection gather its commands, hands the
// calls of all of them to the groups together, and sends replies as they arrive. A command that is sent alone costs a system
// call to read it and one to answer it, or with io_uring its share of these; a goroutine per connection costs a second read, to
// learn that there is nothing more, and two switches (26 against 21 µs per SET when measured with 50 clients, without io_uring).
//
// What might block a connection runs on a goroutine of its own meanwhile (conn.work), so nothing blocks a loop.
type loop struct {
	s    *Server
	poll *poller
	// seats are the connections by file descriptor, taken how many there are.
	seats []*conn
	taken int
	// again are those that have more to read than their turn allowed.
	again []*conn
	// calls are what this turn's connections ask of groups, reads what of it can be answered at once: readOps ops of the
	// connections in readers.
	calls   []groupCalls
	reads   shardgroup.Reads
	readers []*conn
	readOps int
	// What no connection needs at the moment: read buffers, runs, and buffers for replies.
	inboxes, outs spares[[]byte]
	runs          spares[*run]
	// grown are the connections that may have a read buffer larger than those that are lent.
	grown []*conn
	// ring, if there is one, reads and writes for several connections at once. staged are those whose replies are sent at the
	// end of the turn, parties those that take part in a system call.
	ring            *ring.Ring
	staged, parties []*conn

	mu sync.Mutex
	// posted are connections that others want the loop to look at; asleep means that the loop must be woken to do so.
	posted []*conn
	asleep bool
	// swept asks the loop to look at all connections; closed says that it has ended.
	swept, closed bool
}

// seat is what a loop knows of a connection.
type seat struct {
	// fd is the socket.
	fd int
	// readable: there may be more to read, be it that the client has ended its side (hungUp). away: work is under way. ended:
	// the socket is closed.
	readable, hungUp, away, ended bool
	// filled: input was read that it has not looked at. staged: it is in loop.staged. clogged: the client must read before more
	// can be sent; took is when it last did.
	filled, staged, clogged bool
	took                    time.Time
	// grown: it is in loop.grown. needed: it has needed more than a buffer that is lent since dropGrown looked.
	grown, needed bool

	// killed: it is to end.
	killed bool
	// Under loop.mu: posted keeps a connection from being posted twice; wants is what the loop is to know of it.
	posted bool
	wants  request
}

// request is what a connection is posted for, beside being looked at.
type request uint8

const (
	// back: its work is done. end: it is to be killed.
	back request = 1 << iota
	end
)

// newLoop returns nil where loops are not possible.
func newLoop(s *Server) (*loop, error) {
	p, err := newPoller()
	if p == nil || err != nil {
		return nil, err
	}
	l := &loop{s: s, poll: p}
	if s.cfg.Load().IOUring {
		if l.ring, err = ring.New(together); err != nil {
			s.log.Info("no io_uring: every read from a client and every write to one is a system call", "why", err)
		}
	}
	return l, nil
}

func (l *loop) close() {
	l.poll.close()
	if l.ring != nil {
		_ = l.ring.Close() // the descriptor is ours
	}
}

// adopt takes a connection over. False: it is no plain socket; then nothing was done.
func (l *loop) adopt(c *conn, nc net.Conn) bool {
	fd, ok := takeSocket(nc)
	if !ok {
		return false
	}
	c.by, c.wire, c.loop, c.seat.fd = l, socket(fd), l, fd
	l.s.conns.add(c)
	if !l.post(c, 0) {
		l.drop(c) // the loop has ended, because the server stops, so this is the only goroutine that can
	}
	return true
}

// post makes the loop look at c.
func (l *loop) post(c *conn, wants request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	c.seat.wants |= wants
	if !c.seat.posted {
		c.seat.posted = true
		l.posted = append(l.posted, c)
	}
	l.wake()
	return true
}

// wake ends the loop's sleep, if it sleeps. It needs mu, and a loop that is not closed: its poller is closed when that is set.
func (l *loop) wake() {
	if l.asleep {
		l.asleep = false
		l.poll.wake()
	}
}

// arrived implements driver.
func (l *loop) arrived(c *conn) { l.post(c, 0) }

// pushed implements driver.
func (l *loop) pushed(c *conn) { l.post(c, 0) }

// resume implements driver.
func (l *loop) resume(c *conn) { l.post(c, 0) }

// kill implements driver.
func (l *loop) kill(c *conn) { l.post(c, end) }

// sweep makes the loop look at all of its connections: whether they have outstayed, and whether the server stops.
func (l *loop) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.swept = true; !l.closed {
		l.wake()
	}
}

// run is the loop. It ends when the server stops and the last connection has ended.
func (l *loop) run() {
	defer l.close()
	var ready []event
	var posted, again, readers []*conn
	turns := 0
	for {
		ready = l.poll.wait(ready[:0], l.mayPark())
		readers = l.serve(ready, readers)
		var swept bool
		posted, swept = l.takePosted(posted)
		for _, c := range posted {
			l.look(c)
		}
		posted = emptied(posted)
		again, l.again = l.again, again
		for _, c := range again {
			l.drive(c)
		}
		again = emptied(again)
		readers = l.answer(readers[:0])
		submitted := l.submit()
		l.sendStaged()
		if swept {
			l.lookAround()
		}
		if l.s.isStopping() && l.end() {
			return
		}
		// With one P and clients enough, this goroutine would not park, and nothing else would run until it is preempted.
		if turns++; submitted || turns%yieldEvery == 0 {
			runtime.Gosched()
		}
	}
}

// emptied returns a list to be filled again, which keeps nobody who was in it from being collected.
func emptied(list []*conn) []*conn {
	clear(list)
	return list[:0]
}

// yieldEvery is after how many turns that handed nothing to groups others get to run; else it is each.
const yieldEvery = 8

// mayPark says whether the loop may sleep until there is an event; others then wake it when they post.
func (l *loop) mayPark() bool {
	if len(l.again)+len(l.readers) > 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = len(l.posted) == 0 && !l.swept
	return l.asleep
}

func (l *loop) takePosted(into []*conn) (posted []*conn, swept bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = false
	posted, l.posted = l.posted, into
	for _, c := range posted {
		c.seat.away = c.seat.away && c.seat.wants&back == 0
		c.seat.killed = c.seat.killed || c.seat.wants&end != 0
		c.seat.posted, c.seat.wants = false, 0
	}
	swept, l.swept = l.swept, false
	return posted, swept
}

// look looks at a connection that was posted.
func (l *loop) look(c *conn) {
	switch {
	case c.seat.ended:
		return
	case c.seat.killed:
		if c.seat.staged && !c.seat.away {
			c.transmitOut()
		}
		// The descriptor is closed only when nobody can be using it any more.
		socket(c.seat.fd).shutdown()
		if c.seat.away {
			return
		}
		if c.closing = true; c.run == nil || c.run.pending.Load() == 0 {
			l.drop(c)
			return
		}
	case l.at(c.seat.fd) != c:
		l.sit(c)
		if err := l.poll.add(c.seat.fd); err != nil {
			l.s.log.Error("client connection", "err", err)
			l.drop(c)
			return
		}
	}
	l.drive(c)
}

// at is the connection with descriptor fd, nil if it is none of this loop's.
func (l *loop) at(fd int) *conn {
	if fd >= len(l.seats) {
		return nil
	}
	return l.seats[fd]
}

func (l *loop) sit(c *conn) {
	if fd := c.seat.fd; fd >= len(l.seats) {
		l.seats = append(l.seats, make([]*conn, fd+1-len(l.seats))...)
	}
	l.seats[c.seat.fd] = c
	l.taken++
}

// drive takes a connection as far as it gets.
func (l *loop) drive(c *conn) {
	l.lendRun(c)
	l.advance(c)
	l.takeRun(c)
}

// advance reads once each turn, so that one client cannot keep the others waiting.
func (l *loop) advance(c *conn) {
	read := c.seat.filled
	c.seat.filled = false
	for !c.seat.away && !c.seat.ended {
		switch c.advance() {
		case forInput:
			if read && c.seat.readable {
				l.again = append(l.again, c)
				return
			}
			if !c.seat.readable {
				l.takeBuffer(c)
				return
			}
			if read = true; !l.fill(c) {
				l.leave(c)
				return
			}
		case forWork:
			l.sendAway(c)
		case forNothing:
			l.drop(c)
			return
		case forPause:
			if c.seat.hungUp { // as in Redis, though it may have closed its own side only
				l.drop(c)
			}
			return
		case forOutput, forGroups:
			return
		}
	}
}

// leave drops a connection whose client sends nothing more, when it has its replies.
func (l *loop) leave(c *conn) {
	if c.seat.staged && !c.transmitOut() {
		c.seat.readable, c.seat.hungUp = true, true // looked at again when it has read what fills its socket
		return
	}
	l.drop(c)
}

// sendAway has a connection's work done on another goroutine.
func (l *loop) sendAway(c *conn) {
	if c.seat.staged {
		c.transmitOut()
	}
	c.openOut() // work cannot, and what it had made itself would be one more to lend
	c.seat.away = true
	l.s.wg.Go(func() {
		c.work()
		l.post(c, back)
	})
}

// lookAround ends the connections that wait for their client in vain, and frees what nobody has needed since it was called last.
func (l *loop) lookAround() {
	l.inboxes.trim()
	l.outs.trim()
	l.runs.trim()
	l.dropGrown()
	if !l.s.endsIdle() {
		return
	}
	now, stopping := time.Now(), l.s.isStopping()
	for _, c := range l.seats {
		if c != nil && !c.seat.away && !c.asks() && !c.paused && c.waitsInVain(now, stopping) {
			l.drop(c)
		}
	}
}

// drop ends a connection of which nothing is under way.
func (l *loop) drop(c *conn) {
	if c.seat.ended {
		return
	}
	if c.seat.staged {
		c.transmitOut()
	}
	c.seat.ended = true
	if l.at(c.seat.fd) == c {
		l.seats[c.seat.fd] = nil
		l.taken--
	}
	c.gone()
	socket(c.seat.fd).close()
	l.takeAll(c)
}

// end closes the loop if it has no connections left.
func (l *loop) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = l.taken == 0 && len(l.posted) == 0
	return l.closed
}
