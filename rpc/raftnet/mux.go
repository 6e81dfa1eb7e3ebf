package raftnet

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

// Mux shares one Link among the groups of a node.
type Mux struct {
	link Link
	off  Off

	mu     sync.RWMutex
	groups map[slot.GroupID]*Transport
}

// NewMux registers the Raft handlers on link. Call it before the link serves.
func NewMux(link Link) *Mux {
	m := &Mux{link: link, groups: map[slot.GroupID]*Transport{}}
	link.Take(KindAppend, m.takeAppend)
	link.Handle(KindAppend, m.handler((*Transport).serveAppend))
	link.Handle(KindVote, m.handler((*Transport).serveVote))
	link.Handle(KindPreVote, m.handler((*Transport).servePreVote))
	link.Handle(KindTimeoutNow, m.handler((*Transport).serveTimeoutNow))
	link.HandleStream(KindSnapshot, m.serveSnapshot)
	return m
}

// Open returns the transport of one group's replica on this node. Give it to raft.NewRaft, whose Shutdown closes it.
// The hold of votes after a restart counts from here.
func (m *Mux) Open(group slot.GroupID, o Options) (*Transport, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Transport{
		link: m.link, mux: m, group: group, self: raft.ServerID(m.link.Self()), o: o, off: m.off,
		consumer: make(chan raft.RPC),
	}
	t.guard.lease, t.guard.off, t.guard.held = o.Lease, m.off, o.HoldVotes && !m.off.HoldVotes
	if o.HadState {
		t.guard.boot(time.Now().Add(o.Hold))
	}
	t.acks.self, t.acks.o, t.acks.off = t.self, o, m.off
	t.acks.peers = map[raft.ServerID]peerAck{}
	t.acks.view.Store(&quorumView{})
	t.selfID = []byte(t.self)
	t.ctx, t.cancel = context.WithCancel(context.Background())

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.groups[group] != nil {
		t.cancel()
		return nil, fmt.Errorf("raftnet: group %d is open already", group)
	}
	t.desk.open(t)
	m.groups[group] = t
	return t, nil
}

func (m *Mux) remove(t *Transport) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.groups[t.group] == t {
		delete(m.groups, t.group)
	}
}

func (m *Mux) transport(group slot.GroupID) (*Transport, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if t := m.groups[group]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("no replica of group %d runs here", group)
}

// takeAppend implements peer.Taker.
func (m *Mux) takeAppend(q peer.Request) bool {
	t, err := m.transport(q.Group)
	return err == nil && t.desk.take(q)
}

func (m *Mux) handler(serve func(*Transport, context.Context, topology.NodeID, []byte) ([]byte, error)) peer.Handler {
	return func(ctx context.Context, from topology.NodeID, group slot.GroupID, payload []byte) ([]byte, error) {
		t, err := m.transport(group)
		if err != nil {
			return nil, err
		}
		return serve(t, ctx, from, payload)
	}
}

func (m *Mux) serveSnapshot(ctx context.Context, from topology.NodeID, group slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error) {
	t, err := m.transport(group)
	if err != nil {
		return nil, err
	}
	return t.serveSnapshot(ctx, from, header, size, body)
}
