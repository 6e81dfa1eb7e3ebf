package peer

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/admission"
)

// Node is this process on the peer network: its listener, its connections and its address book.
type Node struct {
	o        Options
	listener net.Listener
	started  time.Time
	stats    counters
	book     book

	// calls, takers and streams are fixed once serving is set.
	calls   [256]Handler
	takers  [256]Taker
	streams [256]StreamHandler

	// greetings are places for connections that have not proved anything yet.
	greetings admission.Places
	refusals  refusalLog

	// ctx ends with Close; running are all goroutines and calls that Close waits for.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	serving bool
	closed  bool
	cluster string
	links   map[topology.NodeID]*link
	open    map[net.Conn]struct{}
}

// Listen binds addr (host:port; port 0 takes a free one). Connections are accepted once Serve is called; calls may be
// made at once.
func Listen(addr string, o Options) (*Node, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	l := o.Listener
	if l == nil {
		if l, err = net.Listen("tcp", addr); err != nil {
			return nil, fmt.Errorf("peer: %w", err)
		}
	}
	if o.Advertise == "" {
		o.Advertise = specific(l.Addr())
	}
	n := &Node{
		o: o, listener: l, started: time.Now(), cluster: o.Cluster,
		book:  book{entries: map[topology.NodeID]*entry{}},
		links: map[topology.NodeID]*link{}, open: map[net.Conn]struct{}{},
		greetings: admission.Places{All: maxGreeting, Each: maxGreetingFrom},
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n, nil
}

// specific returns an address that others can dial, "" for one like 0.0.0.0.
func specific(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return ""
	}
	return a.String()
}

// Handle registers the handler of a kind of call. It panics after Serve and for a kind that has a handler.
func (n *Node) Handle(kind Kind, h Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.serving || n.calls[kind] != nil {
		panic(fmt.Sprintf("peer: Handle(%d) after Serve or for the second time", kind))
	}
	n.calls[kind] = h
}

// Take registers who is asked before the handler of a kind of call, like Handle.
func (n *Node) Take(kind Kind, t Taker) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.serving || n.takers[kind] != nil {
		panic(fmt.Sprintf("peer: Take(%d) after Serve or for the second time", kind))
	}
	n.takers[kind] = t
}

// HandleStream registers the handler of a kind of stream, like Handle.
func (n *Node) HandleStream(kind Kind, h StreamHandler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.serving || n.streams[kind] != nil {
		panic(fmt.Sprintf("peer: HandleStream(%d) after Serve or for the second time", kind))
	}
	n.streams[kind] = h
}

// Serve starts to accept connections and returns. The handlers are fixed from here on.
func (n *Node) Serve() {
	n.mu.Lock()
	n.serving = true
	n.mu.Unlock()
	if n.enter() {
		go n.accept()
	}
}

// Self returns this node's ID.
func (n *Node) Self() topology.NodeID { return n.o.Self }

// Addr returns the host:port that other nodes are told; "" if the listener is on all addresses and Options.Advertise
// is not set.
func (n *Node) Addr() string { return n.o.Advertise }

// ListenAddr returns the address that the listener is bound to.
func (n *Node) ListenAddr() net.Addr { return n.listener.Addr() }

// Cluster returns the cluster's ID, "" if the node belongs to none yet.
func (n *Node) Cluster() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cluster
}

// SetCluster sets the cluster's ID once the node belongs to one. Connections that exist stay.
func (n *Node) SetCluster(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cluster = id
}

// SetAddr enters a node's address as the map knows it. A connection that works is kept; the next one uses it.
func (n *Node) SetAddr(id topology.NodeID, addr string) {
	if n.book.set(id, addr, false) {
		n.link(id).wake()
	}
}

// AddrOf returns the address at which a node was last reached, or else the one it was last said to have.
func (n *Node) AddrOf(id topology.NodeID) (string, bool) {
	addr := n.book.addr(id, 0)
	return addr, addr != ""
}

// Close stops accepting, drops every connection and waits until all handlers and calls have returned.
func (n *Node) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	err := n.listener.Close()
	n.mu.Lock()
	for c := range n.open {
		c.Close()
	}
	n.mu.Unlock()
	n.running.Wait()
	return err
}

// enter counts a goroutine or a call that Close has to wait for; false after Close.
func (n *Node) enter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.running.Add(1)
	return true
}

// track notes an open connection, so that Close can close it; false (and the connection is closed) after Close.
func (n *Node) track(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		c.Close()
		return false
	}
	n.open[c] = struct{}{}
	return true
}

func (n *Node) drop(c net.Conn) {
	c.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.open, c)
}

// sinceStart is the monotonic time in nanoseconds.
func (n *Node) sinceStart() int64 { return int64(time.Since(n.started)) }
