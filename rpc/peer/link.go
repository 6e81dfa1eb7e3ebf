package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/placement/topology"
)

// Back-off between attempts to connect: doubling, each time between half and all of it.
const (
	firstBackoff = 20 * time.Millisecond
	lastBackoff  = time.Second
)

// largeCall is how long a payload must be to go by the connection for large calls: one that does not fit into the reader's buffer,
// and takes 50 ms at 10 Mbit/s.
const largeCall = readBuffer

// link is this node's way to another: a connection, made when a call needs it.
type link struct {
	n  *Node
	id topology.NodeID
	// large is the link for large calls; nil if this is it.
	large *link

	// live is the established connection, nil without one. Set under mu.
	live atomic.Pointer[conn]

	mu sync.Mutex
	// attempt is the one in progress, nil if there is none.
	attempt *attempt
	// failures in a row; the next attempt waits until notBefore.
	failures  int
	notBefore time.Time
	// news is closed when the address book has something new.
	news chan struct{}
}

// attempt is one try to connect, which all calls that arrive meanwhile share.
type attempt struct {
	done chan struct{}
	conn *conn
	err  error
}

func (n *Node) link(id topology.NodeID) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[id]
	if l == nil {
		l = n.newLink(id)
		l.large = n.newLink(id)
		n.links[id] = l
	}
	return l
}

func (n *Node) newLink(id topology.NodeID) *link {
	return &link{n: n, id: id, news: make(chan struct{})}
}

// carrying is the link that a call with this payload takes.
func (l *link) carrying(payload []byte) *link {
	if len(payload) > largeCall {
		return l.large
	}
	return l
}

// connection returns the established connection or the outcome of the attempt in progress. A call during the back-off
// waits for the next attempt: that is at most a second, and a vote that failed at once would be lost for its term.
// It ends with ctx and when stop is closed.
func (l *link) connection(ctx context.Context, stop <-chan struct{}) (*conn, error) {
	l.mu.Lock()
	if c := l.live.Load(); c != nil && c.alive() {
		l.mu.Unlock()
		return c, nil
	}
	a := l.attempt
	if a == nil {
		if !l.n.enter() {
			l.mu.Unlock()
			return nil, ErrClosed
		}
		a = &attempt{done: make(chan struct{})}
		l.attempt = a
		go l.run(a, l.notBefore, l.failures, l.news)
	}
	l.mu.Unlock()
	select {
	case <-a.done:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("no connection in time: %w", ctx.Err())
	case <-stop:
		return nil, errStopped
	}
}

// run makes one attempt.
func (l *link) run(a *attempt, notBefore time.Time, failures int, news <-chan struct{}) {
	defer l.n.running.Done()
	select {
	case <-time.After(time.Until(notBefore)):
	case <-news:
		failures = 0
	case <-l.n.ctx.Done():
	}
	a.conn, a.err = l.n.dialNode(l.id, failures)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempt = nil
	if a.err != nil {
		if l.failures == 0 {
			l.n.o.Logger.Warn("peer: cannot connect", "node", l.id, "err", a.err)
		}
		l.failures++
		backoff := min(lastBackoff, firstBackoff<<min(l.failures, 10))
		l.notBefore = time.Now().Add(backoff/2 + rand.N(backoff/2))
	} else {
		a.conn = l.adopt(a.conn)
	}
	close(a.done)
}

// adopt makes c the link's connection until it is lost. If it has one that works, adopt closes c and returns that one: CallAddr
// may have brought it while run was dialling, or the other way round. The caller holds l.mu.
func (l *link) adopt(c *conn) *conn {
	l.failures, l.notBefore = 0, time.Time{}
	if old := l.live.Load(); old != nil && old.alive() {
		l.n.drop(c.raw)
		return old
	}
	if !l.n.enter() {
		c.fail(ErrClosed)
		return c
	}
	l.live.Store(c)
	go func() {
		defer l.n.running.Done()
		l.watch(c)
	}()
	return c
}

// watch runs an adopted connection until it is lost.
func (l *link) watch(c *conn) {
	var wg sync.WaitGroup
	wg.Go(c.runWriter)
	wg.Go(c.runReplies)
	<-c.lost
	l.mu.Lock()
	l.live.CompareAndSwap(c, nil)
	l.mu.Unlock()
	wg.Wait()
	l.n.drop(c.raw)
	if !errors.Is(c.why, ErrClosed) {
		l.n.o.Logger.Info("peer: connection lost", "node", c.peer, "err", c.why)
	}
}

// wake lets a link that is backing off try at once: the book has a new address.
func (l *link) wake() {
	if l.large != nil {
		l.large.wake()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures, l.notBefore = 0, time.Time{}
	close(l.news)
	l.news = make(chan struct{})
}
