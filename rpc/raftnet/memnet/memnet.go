package memnet

import (
	"context"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

// Message is a request or a reply on its way.
type Message struct {
	From, To topology.NodeID
	Kind     peer.Kind
	Group    slot.GroupID
	// Reply says that Payload answers a request of Kind that To made, and whose payload is Asked.
	Reply bool
	Asked []byte
	// Part says that Payload is a part of the body of a stream.
	Part    bool
	Payload []byte
}

// Network connects nodes. Its links are perfect until told otherwise. All methods may be called at any time.
type Network struct {
	mu    sync.Mutex
	nodes map[topology.NodeID]*Node
	cut   map[link]bool
	alone map[topology.NodeID]bool
	delay func(from, to topology.NodeID) time.Duration
	tap   func(context.Context, Message) bool
}

type link struct{ from, to topology.NodeID }

// New returns a network without nodes.
func New() *Network {
	return &Network{nodes: map[topology.NodeID]*Node{}, cut: map[link]bool{}, alone: map[topology.NodeID]bool{}}
}

// Node adds a node, in the place of one of the same ID that was closed: the same node after a restart.
func (w *Network) Node(id topology.NodeID) *Node {
	n := &Node{net: w, id: id, calls: map[peer.Kind]peer.Handler{}, takers: map[peer.Kind]peer.Taker{}, streams: map[peer.Kind]peer.StreamHandler{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[id] != nil {
		panic("memnet: node " + string(id) + " is on the network already")
	}
	w.nodes[id] = n
	return n
}

// Cut makes everything from one node to another vanish without a word, also what is on its way.
func (w *Network) Cut(from, to topology.NodeID) { w.set(link{from, to}, true) }

// Heal undoes Cut.
func (w *Network) Heal(from, to topology.NodeID) { w.set(link{from, to}, false) }

func (w *Network) set(l link, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[l] = cut
}

// Isolate cuts a node off from all others, both ways, also from those that come later.
func (w *Network) Isolate(id topology.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alone[id] = true
}

// HealAll undoes every Cut and Isolate.
func (w *Network) HealAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cut)
	clear(w.alone)
}

// SetDelay sets how long each message is on its way; nil is no time at all.
func (w *Network) SetDelay(delay func(from, to topology.NodeID) time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay = delay
}

// SetTap shows every call's request and reply, and every stream's header, parts and reply, to tap before it is delivered.
// The message is lost if tap returns false, and with a part the whole stream; tap may block to hold it up, until ctx ends.
func (w *Network) SetTap(tap func(context.Context, Message) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tap = tap
}

// carry takes a message to its destination and says whether it arrived.
func (w *Network) carry(ctx context.Context, m Message) bool {
	w.mu.Lock()
	tap, delay := w.tap, w.delay
	w.mu.Unlock()
	if w.isCut(m.From, m.To) || tap != nil && !tap(ctx, m) {
		return false
	}
	if delay != nil {
		select {
		case <-time.After(delay(m.From, m.To)):
		case <-ctx.Done():
			return false
		}
	}
	return !w.isCut(m.From, m.To)
}

func (w *Network) isCut(from, to topology.NodeID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut[link{from, to}] || w.alone[from] || w.alone[to]
}

func (w *Network) node(id topology.NodeID) *Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[id]
}

func (w *Network) leave(n *Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[n.id] == n {
		delete(w.nodes, n.id)
	}
}
