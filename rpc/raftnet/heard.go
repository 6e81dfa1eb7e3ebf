package raftnet

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// heard is a heartbeat at its receiver.
type heard struct {
	t   *Transport
	req *raft.AppendEntriesRequest
	// answer gets Raft's answer, once Raft has taken the request.
	answer chan raft.RPCResponse
	taken  bool
}

// serveBeats gives the heartbeats in a frame to their groups' Rafts and answers when all have answered, or when the first
// group's patience ends. A group whose Raft is busy gets its answer from the promise guard; DESIGN.md says why that is safe.
func (m *Mux) serveBeats(ctx context.Context, from topology.NodeID, _ slot.GroupID, payload []byte) ([]byte, error) {
	frames, err := decodeBeats(payload)
	if err != nil {
		return nil, err
	}
	beats := m.hear(from, frames)
	patience := maxLease
	for i := range beats {
		if t := beats[i].t; t != nil {
			patience = min(patience, t.o.Lease/4)
			beats[i].offer(nil)
		}
	}
	enough := make(chan struct{})
	defer time.AfterFunc(patience, func() { close(enough) }).Stop()
	reply := binary.AppendUvarint([]byte{codecVersion}, uint64(len(beats)))
	var ack []byte
	for i := range beats {
		ack = beats[i].acknowledge(ack[:0], enough)
		reply = appendBytes(reply, ack)
	}
	return reply, ctx.Err()
}

// hear makes Raft's requests of the heartbeats of a node.
func (m *Mux) hear(from topology.NodeID, frames []beatFrame) []heard {
	beats := make([]heard, len(frames))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for i, f := range frames {
		if t := m.groups[f.group]; t != nil {
			id := t.sender(from).id
			beats[i] = heard{t: t, answer: make(chan raft.RPCResponse, 1), req: &raft.AppendEntriesRequest{
				RPCHeader: raft.RPCHeader{ProtocolVersion: f.version, ID: id, Addr: id}, Term: f.term, Leader: id,
			}}
		}
	}
	return beats
}

// offer gives the heartbeat to Raft if Raft takes it before enough is closed, or at once if that is nil.
func (h *heard) offer(enough <-chan struct{}) {
	if fast := h.t.heartbeat.Load(); fast != nil {
		(*fast)(raft.RPC{Command: h.req, RespChan: h.answer})
		h.taken = true
		return
	}
	rpc := raft.RPC{Command: h.req, RespChan: h.answer}
	if enough == nil {
		select {
		case h.t.consumer <- rpc:
			h.taken = true
		default:
		}
		return
	}
	select {
	case h.t.consumer <- rpc:
		h.taken = true
	case <-enough:
	case <-h.t.ctx.Done():
	}
}

// acknowledge appends the answer, or nothing if there is none.
func (h *heard) acknowledge(b []byte, enough <-chan struct{}) []byte {
	if h.t == nil {
		return b
	}
	if !h.taken {
		// Raft is at something else. To wait for it would hold up the answers to the groups behind.
		if h.stillBusy() {
			return h.t.busyAck(b, h.req.Term)
		}
		h.offer(enough)
	}
	if r, ok := h.answered(enough); ok {
		if r.Error != nil {
			return b
		}
		if a, err := h.t.acknowledge(b, h.req, r.Response); err == nil {
			return a
		}
		return b
	}
	if h.stillBusy() {
		return h.t.busyAck(b, h.req.Term)
	}
	return b
}

// answered waits for Raft's answer until enough is closed.
func (h *heard) answered(enough <-chan struct{}) (r raft.RPCResponse, ok bool) {
	select { // the group before may have used up the time, but this answer was there earlier
	case r = <-h.answer:
		return r, true
	default:
	}
	if !h.taken {
		return r, false
	}
	select {
	case r = <-h.answer:
		return r, true
	case <-enough:
	case <-h.t.ctx.Done():
	}
	return r, false
}

func (h *heard) stillBusy() bool {
	leader := h.t.sender(topology.NodeID(h.req.ID)).server
	return h.t.ctx.Err() == nil && h.t.guard.stillBusy(leader, h.req.Term, time.Now())
}

// busyAck appends an acknowledgement that the guard gives for a busy Raft.
func (t *Transport) busyAck(b []byte, term uint64) []byte {
	t.stats.busyAcks.Add(1)
	a := ack{promise: t.o.Lease}
	a.Success, a.Term = true, term
	return appendAck(b, &a)
}
