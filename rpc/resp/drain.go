package resp

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// drainQuiet is how long a connection must not have been told MOVED before it is closed: clients read the map up to a
	// second after a MOVED (rueidis; go-redis at most 200 ms), and until then they send more.
	drainQuiet = time.Second
	// drainLinger is how long idle clients that were disconnected may take to read the map, and try this node meanwhile:
	// rueidis reads it up to a second after it lost a connection.
	drainLinger = time.Second
	// drainLimit bounds Drain, for clients that never read the map and follow MOVED for ever.
	drainLimit = 5 * time.Second
	// drainPoll is how often Drain looks whether it is done.
	drainPoll = 10 * time.Millisecond
)

// drain is the state of Drain.
type drain struct {
	// began is when Drain was called, told when any client was last told MOVED since; Unix ns, 0 if that has not happened.
	began, told atomic.Int64
}

// Drain sends clients elsewhere before Shutdown: it goes on answering, which is MOVED once other nodes lead, and closes each
// connection when its client has had time to read the new map. A connection that is closed under a command leaves the client
// without an answer, which not every client may try again. Drain returns when clients have had time and none of them was told
// MOVED for a while, after 5 s, or at ctx's end; at once if nobody is connected. Subscribers are disconnected.
func (s *Server) Drain(ctx context.Context) {
	if s.conns.count() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	began := time.Now()
	s.drain.began.Store(began.UnixNano())
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for !s.drained(began) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.lookAround()
		}
	}
}

func (s *Server) drained(began time.Time) bool {
	told := time.Unix(0, s.drain.told.Load())
	return time.Since(began) > drainQuiet+drainLinger && time.Since(told) > drainQuiet+drainPoll
}

// drains says, while the server drains, until when the connection may wait for commands.
func (c *conn) drains() (until time.Time, yes bool) {
	ns := c.s.drain.began.Load()
	if ns == 0 {
		return time.Time{}, false
	}
	busy := c.born
	for _, at := range []time.Time{time.Unix(0, ns), c.told} {
		if at.After(busy) {
			busy = at
		}
	}
	return busy.Add(drainQuiet), true
}

// noteMoved notes that the client is told MOVED.
func (c *conn) noteMoved() {
	c.told = time.Now()
	if c.s.drain.began.Load() != 0 {
		c.s.drain.told.Store(c.told.UnixNano())
	}
}
