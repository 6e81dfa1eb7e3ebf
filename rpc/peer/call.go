package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Call asks node to and waits for its answer. The error wraps ErrNotSent if the handler certainly did not and will
// not run, ErrNoAnswer if that is unknown, and is a *RemoteError if it ran and failed. payload may be reused after
// the return. A call to this node itself runs the handler directly.
func (n *Node) Call(ctx context.Context, to topology.NodeID, kind Kind, group slot.GroupID, payload []byte) ([]byte, error) {
	ctx, cancel := n.withDeadline(ctx)
	defer cancel()
	if to == n.o.Self {
		return n.callSelf(ctx, kind, group, payload)
	}
	c, err := n.link(to).connection(ctx)
	if err != nil {
		return nil, fmt.Errorf("call node %s: %w: %w", to, ErrNotSent, err)
	}
	return c.call(ctx, kind, group, payload)
}

// CallAddr asks whoever answers at addr and says who that was. It is for joining, when only an address is known.
// An address of this node itself is answered by this node.
func (n *Node) CallAddr(ctx context.Context, addr string, kind Kind, group slot.GroupID, payload []byte) (topology.NodeID, []byte, error) {
	ctx, cancel := n.withDeadline(ctx)
	defer cancel()
	if !n.enter() {
		return "", nil, fmt.Errorf("call %s: %w: %w", addr, ErrNotSent, ErrClosed)
	}
	defer n.running.Done()
	raw, who, err := n.dial(ctx, addr, modeCalls, "")
	if err != nil {
		return "", nil, fmt.Errorf("call %s: %w: %w", addr, ErrNotSent, err)
	}
	c := n.newConn(raw, who.id)
	l := n.link(who.id)
	l.mu.Lock()
	if l.conn == nil || !l.conn.alive() {
		l.adopt(c)
	} else {
		n.drop(raw)
		c = l.conn
	}
	l.mu.Unlock()
	reply, err := c.call(ctx, kind, group, payload)
	return who.id, reply, err
}

// withDeadline gives every call a deadline.
func (n *Node) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, n.o.CallTimeout)
}

func (n *Node) callSelf(ctx context.Context, kind Kind, group slot.GroupID, payload []byte) ([]byte, error) {
	n.mu.Lock()
	h := n.calls[kind]
	n.mu.Unlock()
	if h == nil || !n.enter() {
		return nil, fmt.Errorf("call node %s (this node): %w: no handler for kind %d", n.o.Self, ErrNotSent, kind)
	}
	defer n.running.Done()
	reply, err := h(ctx, n.o.Self, group, slices.Clone(payload))
	if err != nil {
		return nil, &RemoteError{Node: n.o.Self, Text: err.Error()}
	}
	return reply, nil
}

// replies are the channels on which calls wait. One is put back only when nothing can be sent to it any more.
var replies = sync.Pool{New: func() any { return make(chan frame, 1) }}

func (c *conn) call(ctx context.Context, kind Kind, group slot.GroupID, payload []byte) ([]byte, error) {
	if len(payload) > c.n.o.MaxFrame {
		return nil, c.failed(ErrNotSent, fmt.Errorf("%d bytes are over the limit of %d", len(payload), c.n.o.MaxFrame))
	}
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	if left <= 0 || ctx.Err() != nil {
		return nil, c.failed(ErrNotSent, context.DeadlineExceeded)
	}
	reply := replies.Get().(chan frame)
	started := c.n.sinceStart()
	id := c.begin(reply)
	c.n.stats.calls.Add(1)
	if err := c.send(&frame{op: opRequest, kind: kind, group: group, timeout: left, id: id, payload: payload}); err != nil {
		c.end(id)
		return nil, c.failed(ErrNotSent, err)
	}
	select {
	case f := <-reply:
		replies.Put(reply)
		return c.answer(&f)
	case <-c.lost:
	case <-ctx.Done():
		if left >= silence && errors.Is(ctx.Err(), context.DeadlineExceeded) && c.heard.Load() < started {
			c.fail(errors.New("it has gone silent"))
		}
	}
	if c.end(id) {
		replies.Put(reply)
		c.n.stats.unanswered.Add(1)
		if err := ctx.Err(); err != nil {
			return nil, c.failed(ErrNoAnswer, err)
		}
		return nil, c.failed(ErrNoAnswer, c.why)
	}
	f := <-reply // it was being delivered
	replies.Put(reply)
	return c.answer(&f)
}

// answer turns a reply frame into Call's results.
func (c *conn) answer(f *frame) ([]byte, error) {
	switch f.op {
	case opReply:
		return f.payload, nil
	case opError:
		return nil, &RemoteError{Node: c.peer, Text: string(f.payload)}
	case opRefused:
		return nil, c.failed(ErrNotSent, errors.New(string(f.payload)))
	}
	err := fmt.Errorf("operation %d is not a reply", f.op)
	c.fail(err)
	return nil, c.failed(ErrNoAnswer, err)
}

func (c *conn) failed(outcome, why error) error {
	return fmt.Errorf("call node %s: %w: %w", c.peer, outcome, why)
}
