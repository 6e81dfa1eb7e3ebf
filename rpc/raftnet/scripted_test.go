package raftnet

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

// scripted is a Link whose other end is a function; requests for this side come from the test.
type scripted struct {
	call    func(kind peer.Kind, frame []byte) ([]byte, error)
	timeout atomic.Int64 // of the last request from this side, in nanoseconds
	handler map[peer.Kind]peer.Handler
}

func (*scripted) Self() topology.NodeID { return "me" }

func (s *scripted) Ask(_ <-chan struct{}, timeout time.Duration, _ topology.NodeID, kind peer.Kind, _ slot.GroupID, frame, reply []byte) ([]byte, error) {
	s.timeout.Store(int64(timeout))
	p, err := s.call(kind, frame)
	return append(reply, p...), err
}

func (*scripted) Stream(context.Context, topology.NodeID, peer.Kind, slot.GroupID, []byte, int64, io.Reader) ([]byte, error) {
	return nil, peer.ErrNotSent
}

func (s *scripted) Handle(kind peer.Kind, h peer.Handler) {
	if s.handler == nil {
		s.handler = map[peer.Kind]peer.Handler{}
	}
	s.handler[kind] = h
}

func (*scripted) Take(peer.Kind, peer.Taker) {}

func (*scripted) HandleStream(peer.Kind, peer.StreamHandler) {}

// open returns a transport of voters me, b and c over link.
func open(t *testing.T, link Link, o Options, off ...Off) *Transport {
	t.Helper()
	m := NewMux(link)
	for _, f := range off {
		m.off = f
	}
	tr, err := m.Open(7, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	tr.SetVoters(ids("me", "b", "c"))
	return tr
}
