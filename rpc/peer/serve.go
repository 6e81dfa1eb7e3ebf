package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// maxGreeting bounds the connections that have not proved anything yet.
	maxGreeting = 128
	// maxGreetingFrom bounds those of one address. It leaves room for a whole cluster on one machine, each of its nodes with a
	// connection for calls and some for snapshots.
	maxGreetingFrom = 32
	// maxPayloads bounds the bytes of requests that one connection's peer may have running here.
	maxPayloads = 256 << 20
)

// refusalPause is the least time between two log lines about refused connections: anybody can make these.
const refusalPause = time.Second

// refusalLog decides which refusals are logged.
type refusalLog struct {
	mu     sync.Mutex
	last   time.Time
	silent int
}

// pass reports whether a refusal at now is to be logged, and how many were not since the last one that was.
func (r *refusalLog) pass(now time.Time) (silent int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() && now.Sub(r.last) < refusalPause {
		r.silent++
		return 0, false
	}
	silent, r.silent, r.last = r.silent, 0, now
	return silent, true
}

// accept runs until the listener is closed.
func (n *Node) accept() {
	defer n.running.Done()
	for {
		raw, err := n.listener.Accept()
		if err != nil {
			if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, most likely: others may close some.
			n.o.Logger.Error("peer: cannot accept", "err", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-n.ctx.Done():
			}
			continue
		}
		greeted, err := n.greetings.Enter(raw)
		if err != nil {
			n.refuse(raw, fmt.Errorf("of those that have not shaken hands yet %w", err))
			raw.Close()
			continue
		}
		if !n.track(raw) || !n.enter() {
			n.drop(raw)
			continue
		}
		go func() {
			defer n.running.Done()
			defer n.drop(raw)
			n.serve(raw, greeted)
		}()
	}
}

// refuse counts a connection that is not let in, and logs why, though not each.
func (n *Node) refuse(raw net.Conn, err error) {
	n.stats.refused.Add(1)
	if silent, ok := n.refusals.pass(time.Now()); ok {
		n.o.Logger.Warn("peer: connection refused", "from", raw.RemoteAddr(), "err", err, "not_logged_before", silent)
	}
}

// serve runs one accepted connection.
func (n *Node) serve(raw net.Conn, greeted func()) {
	raw.SetDeadline(time.Now().Add(handshakeTimeout))
	who, err := n.welcome(raw)
	greeted()
	if err != nil {
		if !errors.Is(err, io.EOF) { // a port scanner, or a health check
			n.refuse(raw, err)
		}
		return
	}
	raw.SetDeadline(time.Time{})
	n.stats.accepted.Add(1)
	n.learn(who)
	c := n.newConn(raw, who.id)
	if who.mode == modeStream {
		n.serveStream(c)
		return
	}
	var wg sync.WaitGroup
	wg.Go(c.runWriter)
	ctx, cancel := context.WithCancel(n.ctx)
	c.fail(c.runRequests(ctx, &wg))
	cancel()
	wg.Wait()
}

// runRequests gives each request to the kind's taker, or else starts a goroutine for it, so that a group whose disk is slow
// delays no other group.
func (c *conn) runRequests(ctx context.Context, wg *sync.WaitGroup) error {
	var f frame
	for {
		if err := c.next(c.n.o.MaxFrame, &f); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if f.op != opRequest {
			return fmt.Errorf("operation %d is not a request", f.op)
		}
		c.n.stats.bytesIn.Add(uint64(len(f.payload) + overhead + 4))
		size := int64(len(f.payload))
		if c.running.Load() >= int64(c.n.o.MaxInFlight) || c.runningBytes.Load() > maxPayloads {
			c.n.stats.overloads.Add(1)
			c.reply(&f, opRefused, []byte("too many requests are running here for this peer"))
			continue
		}
		h := c.n.calls[f.kind]
		if h == nil {
			c.reply(&f, opRefused, fmt.Appendf(nil, "there is no handler for kind %d here", f.kind))
			continue
		}
		c.running.Add(1)
		c.runningBytes.Add(size)
		q := Request{From: c.peer, Group: f.group, Payload: c.in.keep(f.payload), kind: f.kind, id: f.id, to: c}
		if take := c.n.takers[f.kind]; take != nil && take(q) {
			continue
		}
		c.handle(ctx, wg, h, q, f.timeout)
	}
}

// handle runs one request on a goroutine of its own and sends its reply. A reply that cannot be sent is dropped: the
// caller's deadline tells it.
func (c *conn) handle(ctx context.Context, wg *sync.WaitGroup, h Handler, q Request, timeout time.Duration) {
	if timeout == 0 {
		timeout = c.n.o.CallTimeout
	}
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		reply, err := h(ctx, q.From, q.Group, q.Payload)
		late := ctx.Err() != nil
		cancel()
		switch {
		case err != nil && late: // that it ran out of time tells nothing; the caller sees ErrNoAnswer
			c.done(q)
		case err != nil:
			q.Fail(err)
		default:
			q.Reply(reply)
		}
	})
}

// finish implements replier.
func (c *conn) finish(q Request, op byte, payload []byte) {
	if len(payload) > c.n.o.MaxFrame {
		op, payload = opError, fmt.Appendf(nil, "the reply of %d bytes is over the limit of %d", len(payload), c.n.o.MaxFrame)
	}
	c.reply(&frame{kind: q.kind, group: q.Group, id: q.id}, op, payload)
	c.done(q)
}

// done takes a request out of the count of those that are being served.
func (c *conn) done(q Request) {
	c.runningBytes.Add(-int64(len(q.Payload)))
	c.running.Add(-1)
}

func (c *conn) reply(f *frame, op byte, payload []byte) {
	if err := c.send(&frame{op: op, kind: f.kind, group: f.group, id: f.id, payload: payload}); errors.Is(err, errQueueFull) {
		c.n.stats.overloads.Add(1)
	}
}
