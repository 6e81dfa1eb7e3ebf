package memnet

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

// Node is one node's end of a Network; it is a raftnet.Link.
type Node struct {
	net    *Network
	id     topology.NodeID
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	calls   map[peer.Kind]peer.Handler
	takers  map[peer.Kind]peer.Taker
	streams map[peer.Kind]peer.StreamHandler
	// running are the handlers that were called and what they answer to.
	running sync.WaitGroup
}

// answer is what a handler returned; lost if its reply did not arrive.
type answer struct {
	reply []byte
	err   error
	lost  bool
}

// Self returns the node's ID.
func (n *Node) Self() topology.NodeID { return n.id }

// Handle registers the handler of a kind of call.
func (n *Node) Handle(kind peer.Kind, h peer.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls[kind] = h
}

// Take registers who is asked before the handler of a kind of call.
func (n *Node) Take(kind peer.Kind, t peer.Taker) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.takers[kind] = t
}

// HandleStream registers the handler of a kind of stream.
func (n *Node) HandleStream(kind peer.Kind, h peer.StreamHandler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.streams[kind] = h
}

// Leave takes the node off the network at once, as when its process ends: what it was doing for others is not answered.
func (n *Node) Leave() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.net.leave(n)
	n.cancel()
}

// Close leaves the network and waits for the node's handlers.
func (n *Node) Close() {
	n.Leave()
	n.running.Wait()
}

// start registers a handler's run, unless the node is closed.
func (n *Node) start() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.running.Add(1)
	return true
}

// Call implements raftnet.Link.
func (n *Node) Call(ctx context.Context, to topology.NodeID, kind peer.Kind, group slot.GroupID, payload []byte) ([]byte, error) {
	return n.call(ctx, nil, to, kind, group, payload)
}

// Ask implements raftnet.Link.
func (n *Node) Ask(stop <-chan struct{}, timeout time.Duration, to topology.NodeID, kind peer.Kind, group slot.GroupID, payload, reply []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	p, err := n.call(ctx, stop, to, kind, group, payload)
	return append(reply, p...), err
}

func (n *Node) call(ctx context.Context, stop <-chan struct{}, to topology.NodeID, kind peer.Kind, group slot.GroupID, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, peer.DefaultCallTimeout)
	defer cancel()
	request := Message{From: n.id, To: to, Kind: kind, Group: group, Payload: slices.Clone(payload)}
	return n.await(ctx, stop, request, 0, func(ctx context.Context, target *Node) answer { return target.serve(ctx, request) })
}

// serve answers a request as peer does: the kind's taker is asked first.
func (n *Node) serve(ctx context.Context, m Message) answer {
	n.mu.Lock()
	take, h := n.takers[m.Kind], n.calls[m.Kind]
	n.mu.Unlock()
	if h == nil {
		return answer{err: fmt.Errorf("no handler for kind %d", m.Kind)}
	}
	answers := make(chan answer, 1)
	if take == nil || !take(peer.NewRequest(m.From, m.Group, m.Payload, func(reply []byte, err error) { answers <- answer{reply: reply, err: err} })) {
		reply, err := h(ctx, m.From, m.Group, m.Payload)
		return answer{reply: reply, err: err}
	}
	select {
	case a := <-answers:
		return a
	case <-ctx.Done():
		return answer{lost: true}
	}
}

// await carries a request, lets the target serve it on a goroutine of the target's, and waits for the answer. If something
// gets lost, the caller hears of it after notice; 0: never.
func (n *Node) await(ctx context.Context, stop <-chan struct{}, request Message, notice time.Duration, serve func(context.Context, *Node) answer) ([]byte, error) {
	target := n.net.node(request.To)
	if n.ctx.Err() != nil || target == nil || !target.start() {
		return nil, fmt.Errorf("call node %s: %w: connection refused", request.To, peer.ErrNotSent)
	}
	answers := make(chan answer, 1)
	go func() {
		defer target.running.Done()
		a := n.net.exchange(ctx, request, target, serve)
		if !a.lost {
			answers <- a
		} else if notice > 0 {
			time.AfterFunc(notice, func() { answers <- a })
		}
	}()
	select {
	case a := <-answers:
		if a.lost {
			return nil, fmt.Errorf("call node %s: %w: the connection is lost", request.To, peer.ErrNoAnswer)
		}
		if a.err != nil {
			return nil, &peer.RemoteError{Node: request.To, Text: a.err.Error()}
		}
		return a.reply, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("call node %s: %w: %w", request.To, peer.ErrNoAnswer, ctx.Err())
	case <-stop:
		return nil, fmt.Errorf("call node %s: %w: the caller has stopped", request.To, peer.ErrNoAnswer)
	case <-n.ctx.Done():
		return nil, fmt.Errorf("call node %s: %w: %w", request.To, peer.ErrNoAnswer, peer.ErrClosed)
	}
}

// exchange is one round trip. The handler's context has the caller's deadline but not its cancellation: a caller
// that goes away cannot call its request back.
func (w *Network) exchange(ctx context.Context, request Message, target *Node, serve func(context.Context, *Node) answer) answer {
	if !w.carry(target.ctx, request) {
		return answer{lost: true}
	}
	deadline, _ := ctx.Deadline()
	there, cancel := target.ctx, context.CancelFunc(func() {})
	if !deadline.IsZero() {
		there, cancel = context.WithDeadline(target.ctx, deadline)
	}
	a := serve(there, target)
	cancel()
	reply := Message{From: request.To, To: request.From, Kind: request.Kind, Group: request.Group, Reply: true, Asked: request.Payload, Payload: a.reply}
	a.lost = a.lost || target.ctx.Err() != nil || !w.carry(target.ctx, reply)
	return a
}

// Stream implements raftnet.Link.
func (n *Node) Stream(ctx context.Context, to topology.NodeID, kind peer.Kind, group slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(fmt.Errorf("stream is broken: %w", ctx.Err())) })
	defer stop()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		w.CloseWithError(n.pump(ctx, Message{From: n.id, To: to, Kind: kind, Group: group, Part: true}, w, body, size))
	}()
	defer func() { cancel(); r.Close(); <-sent }()
	request := Message{From: n.id, To: to, Kind: kind, Group: group, Payload: slices.Clone(header)}
	return n.await(ctx, nil, request, peer.DefaultCallTimeout, func(ctx context.Context, target *Node) answer {
		target.mu.Lock()
		h := target.streams[kind]
		target.mu.Unlock()
		if h == nil {
			return answer{err: fmt.Errorf("no handler for streams of kind %d", kind)}
		}
		defer r.Close()
		stop := context.AfterFunc(target.ctx, func() { r.CloseWithError(peer.ErrClosed) })
		defer stop()
		reply, err := h(ctx, n.id, group, request.Payload, size, r)
		return answer{reply: reply, err: err}
	})
}

// partBytes is how much of a stream travels at a time.
const partBytes = 16 << 10

// pump copies size bytes of body into the pipe; cutting the link breaks the stream at once.
func (n *Node) pump(ctx context.Context, part Message, w *io.PipeWriter, body io.Reader, size int64) error {
	buf := make([]byte, partBytes)
	for size > 0 {
		k, err := io.ReadFull(body, buf[:min(int64(len(buf)), size)])
		if err != nil {
			return fmt.Errorf("stream is shorter than announced: %w", err)
		}
		part.Payload = buf[:k]
		if !n.net.carry(ctx, part) {
			return io.ErrUnexpectedEOF
		}
		if _, err := w.Write(buf[:k]); err != nil {
			return err
		}
		size -= int64(k)
	}
	return nil
}
