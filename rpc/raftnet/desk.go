package raftnet

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/rpc/peer"
)

// desk hands AppendEntries requests to Raft on the goroutine that has read them, and sends Raft's answers off on one of its
// own. That spares a goroutine for each request and a change of goroutines. It holds one request, and a leader sends
// the next when it has the answer; whatever finds the desk taken, or Raft busy, goes the long way (see Mux.handler).
type desk struct {
	t *Transport
	// taken: a request has been given to Raft, and q, req are that one. Who sets it owns them until Raft has the request,
	// then the desk's goroutine does, until it clears taken. That it does is certain: Raft answers every AppendEntries that
	// it has received, also while it shuts down.
	taken atomic.Bool
	q     peer.Request
	req   *raft.AppendEntriesRequest
	// answers has room for Raft's answer and for a nudge to end.
	answers chan raft.RPCResponse

	running sync.WaitGroup
	reply   []byte // reused
}

func (d *desk) open(t *Transport) {
	d.t, d.answers = t, make(chan raft.RPCResponse, 2)
	d.running.Go(d.run)
}

// take implements peer.Taker.
func (d *desk) take(q peer.Request) bool {
	if !d.taken.CompareAndSwap(false, true) {
		return false
	}
	req, err := decodeAppend(d.t.sender(q.From).id, q.Payload)
	if err != nil || isHeartbeat(req) && d.t.heartbeat.Load() != nil {
		d.taken.Store(false)
		return false
	}
	d.q, d.req = q, req
	select {
	case d.t.consumer <- raft.RPC{Command: req, RespChan: d.answers}:
		return true
	default: // Raft is busy
		d.taken.Store(false)
		return false
	}
}

// run sends answers until the transport is closed.
func (d *desk) run() {
	for {
		answer := <-d.answers
		if d.t.ctx.Err() != nil {
			return
		}
		q, req := d.q, d.req
		d.q, d.req = peer.Request{}, nil
		d.taken.Store(false)
		d.finish(q, req, answer)
	}
}

func (d *desk) finish(q peer.Request, req *raft.AppendEntriesRequest, answer raft.RPCResponse) {
	err := answer.Error
	if err == nil {
		d.reply, err = d.t.acknowledge(d.reply[:0], req, answer.Response)
	}
	if err != nil {
		q.Fail(err)
		return
	}
	q.Reply(d.reply)
}

// close ends the goroutine once the transport's context has ended. A request that Raft still has is not answered.
func (d *desk) close() {
	select {
	case d.answers <- raft.RPCResponse{}:
	default: // it has an answer to wake up for
	}
	d.running.Wait()
}
