package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Call asks node to and waits for its answer. The error wraps ErrNotSent if the handler certainly did not and will
// not run, ErrNoAnswer if that is unknown, and is a *RemoteError if it ran and failed. payload may be reused after
// the return. A call to this node itself runs the handler directly.
func (n *Node) Call(ctx context.Context, to topology.NodeID, kind Kind, group slot.GroupID, payload []byte) ([]byte, error) {
	if to == n.o.Self {
		return n.callSelf(ctx, kind, group, payload)
	}
	ctx, cancel := n.withDeadline(ctx)
	defer cancel()
	c, err := n.link(to).carrying(payload).connection(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("call node %s: %w: %w", to, ErrNotSent, err)
	}
	return c.call(ctx, kind, group, payload)
}

// Ask is Call for those who ask another node all the time: while there is a connection, it sets no timer and allocates
// nothing. It ends after timeout, or when stop is closed (nil: not before). The answer is appended to reply, whose room
// must not be used before the return.
func (n *Node) Ask(stop <-chan struct{}, timeout time.Duration, to topology.NodeID, kind Kind, group slot.GroupID, payload, reply []byte) ([]byte, error) {
	l, now := n.link(to).carrying(payload), n.sinceStart()
	c := l.live.Load()
	if c == nil || !c.alive() {
		ctx, cancel := context.WithTimeout(n.ctx, timeout)
		defer cancel()
		var err error
		if c, err = l.connection(ctx, stop); err != nil {
			return nil, fmt.Errorf("call node %s: %w: %w", to, ErrNotSent, err)
		}
		waited := n.sinceStart() - now
		now, timeout = now+waited, timeout-time.Duration(waited)
	}
	return c.exchange(stop, nil, now, timeout, frame{kind: kind, group: group, payload: payload}, reply)
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
	l := n.link(who.id)
	l.mu.Lock()
	c := l.adopt(n.newConn(raw, who.id))
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
	ctx, cancel := n.withDeadline(ctx)
	defer cancel()
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

// call is exchange with a context, which has a deadline.
func (c *conn) call(ctx context.Context, kind Kind, group slot.GroupID, payload []byte) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	if ctx.Err() != nil {
		return nil, c.failed(ErrNotSent, context.DeadlineExceeded)
	}
	return c.exchange(ctx.Done(), ctx.Err, c.n.sinceStart(), time.Until(deadline), frame{kind: kind, group: group, payload: payload}, nil)
}

var (
	errStopped = errors.New("the caller has stopped")
	errSilent  = errors.New("it has gone silent")
)

// exchange sends a request and waits for its reply, which is appended to reply. It gives up after timeout, counted from now,
// and when stop is closed; why then tells the reason, errStopped if it is nil.
func (c *conn) exchange(stop <-chan struct{}, why func() error, now int64, timeout time.Duration, f frame, reply []byte) ([]byte, error) {
	switch {
	case len(f.payload) > c.n.o.MaxFrame:
		return nil, c.failed(ErrNotSent, fmt.Errorf("%w: %d bytes are over the limit of %d", ErrTooLarge, len(f.payload), c.n.o.MaxFrame))
	case timeout <= 0:
		return nil, c.failed(ErrNotSent, context.DeadlineExceeded)
	}
	p := pendings.Get().(*pending)
	defer p.recycle()
	p.deadline, p.reply = now+int64(timeout), reply
	if err := c.calls.begin(p, now); err != nil {
		return nil, c.failed(ErrNotSent, err)
	}
	c.n.stats.calls.Add(1)
	f.op, f.id, f.timeout = opRequest, p.id, timeout
	if err := c.send(&f); err != nil {
		c.calls.withdraw(p)
		return nil, c.failed(ErrNotSent, err)
	}
	select {
	case <-p.done:
	case <-stop:
		if c.calls.withdraw(p) {
			reason := errStopped
			if why != nil {
				reason = why()
			}
			return nil, c.unanswered(p, timeout, reason)
		}
	}
	switch p.op {
	case opExpired:
		return nil, c.unanswered(p, timeout, context.DeadlineExceeded)
	case opLost:
		return nil, c.unanswered(p, timeout, c.why)
	}
	return c.answer(p.op, p.reply)
}

// unanswered is the error of a call whose outcome is not known. It gives up a connection that has been silent, and the one for
// large calls too, where a call may wait for minutes before it notices by itself.
func (c *conn) unanswered(p *pending, timeout time.Duration, why error) error {
	c.n.stats.unanswered.Add(1)
	if errors.Is(why, context.DeadlineExceeded) && timeout >= silence && c.calls.silentSince(p) && !c.moves(timeout) {
		c.fail(errSilent)
		if l := c.n.link(c.peer).large.live.Load(); l != nil && !l.moves(timeout) {
			l.fail(errSilent)
		}
	}
	return c.failed(ErrNoAnswer, why)
}

// answer turns a reply frame into Call's results.
func (c *conn) answer(op byte, payload []byte) ([]byte, error) {
	switch op {
	case opReply:
		return payload, nil
	case opError:
		return nil, &RemoteError{Node: c.peer, Text: string(payload)}
	case opRefused:
		return nil, c.failed(ErrNotSent, errors.New(string(payload)))
	}
	err := fmt.Errorf("operation %d is not a reply", op)
	c.fail(err)
	return nil, c.failed(ErrNoAnswer, err)
}

func (c *conn) failed(outcome, why error) error {
	return fmt.Errorf("call node %s: %w: %w", c.peer, outcome, why)
}
