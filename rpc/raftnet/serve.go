package raftnet

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/placement/topology"
)

// deliver hands a request to Raft and returns Raft's answer. If ctx ends before Raft takes the request it is
// withdrawn; after that its answer, if any, is lost, which is as if the network had lost it.
func (t *Transport) deliver(ctx context.Context, command any) (any, error) {
	answer := make(chan raft.RPCResponse, 1)
	select {
	case t.consumer <- raft.RPC{Command: command, RespChan: answer}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.ctx.Done():
		return nil, ErrClosed
	}
	select {
	case r := <-answer:
		return r.Response, r.Error
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.ctx.Done():
		return nil, ErrClosed
	}
}

func (t *Transport) serveAppend(ctx context.Context, from topology.NodeID, payload []byte) ([]byte, error) {
	req, err := decodeAppend(t.sender(from).id, payload)
	if err != nil {
		return nil, err
	}
	if isHeartbeat(req) {
		return t.serveHeartbeat(ctx, req)
	}
	response, err := t.deliver(ctx, req)
	if err != nil {
		return nil, err
	}
	return t.acknowledge(nil, req, response)
}

// acknowledge appends Raft's answer to b, with a promise if it is an acceptance.
func (t *Transport) acknowledge(b []byte, req *raft.AppendEntriesRequest, response any) ([]byte, error) {
	r, ok := response.(*raft.AppendEntriesResponse)
	if !ok {
		return nil, fmt.Errorf("raft answered AppendEntries with a %T", response)
	}
	a := ack{AppendEntriesResponse: *r}
	if a.Success {
		leader := t.sender(topology.NodeID(req.ID)).server
		if !t.guard.acknowledge(leader, req.Term, time.Now()) {
			t.drop(&t.stats.acksDropped, "acknowledgement", leader, req.Term)
			return nil, ErrPromised
		}
		a.promise = t.o.Lease
	}
	return appendAck(b, &a), nil
}

// serveHeartbeat is serveAppend for heartbeats, which get an answer from the promise guard alone when Raft's main
// loop does not come to them in time. DESIGN.md says why that is safe.
func (t *Transport) serveHeartbeat(ctx context.Context, req *raft.AppendEntriesRequest) ([]byte, error) {
	if fast := t.heartbeat.Load(); fast != nil {
		answer := make(chan raft.RPCResponse, 1)
		(*fast)(raft.RPC{Command: req, RespChan: answer})
		select {
		case r := <-answer:
			return t.acknowledge(nil, req, r.Response)
		case <-t.ctx.Done():
			return nil, ErrClosed
		}
	}
	patience, cancel := context.WithTimeout(ctx, t.o.Lease/4)
	response, err := t.deliver(patience, req)
	cancel()
	if err == nil {
		return t.acknowledge(nil, req, response)
	}
	now := time.Now()
	if ctx.Err() != nil || t.ctx.Err() != nil || !t.guard.stillBusy(raft.ServerID(req.ID), req.Term, now) {
		return nil, err
	}
	t.stats.busyAcks.Add(1)
	a := ack{promise: t.o.Lease}
	a.Success, a.Term = true, req.Term
	return appendAck(nil, &a), nil
}

func (t *Transport) serveVote(ctx context.Context, from topology.NodeID, payload []byte) ([]byte, error) {
	h, v, err := decodeBallot(from, payload)
	if err != nil {
		return nil, err
	}
	candidate := raft.ServerID(from)
	// Before Raft sees it, so that a vote that must not leave does not raise Raft's term either.
	if !t.guard.mayHelp(candidate, v.consent, time.Now()) {
		t.drop(&t.stats.votesDropped, "vote", candidate, v.term)
		return nil, ErrPromised
	}
	// Raft refuses everybody as long as it knows a leader, but for this flag, and it forgets one that is silent late.
	anybody := v.transfer && t.guard.honours(v.consent) || t.forsaken()
	req := &raft.RequestVoteRequest{
		RPCHeader: h, Term: v.term, Candidate: h.Addr, LastLogIndex: v.lastIndex, LastLogTerm: v.lastTerm,
		LeadershipTransfer: anybody,
	}
	response, err := t.deliver(ctx, req)
	if err != nil {
		return nil, err
	}
	r, ok := response.(*raft.RequestVoteResponse)
	if !ok {
		return nil, fmt.Errorf("raft answered RequestVote with a %T", response)
	}
	// And again: an acknowledgement may have left meanwhile.
	if r.Granted && !t.guard.vote(candidate, v.term, v.consent, time.Now()) {
		t.drop(&t.stats.votesDropped, "granted vote", candidate, v.term)
		return nil, ErrPromised
	}
	return appendVerdict(nil, r.Term, r.Granted), nil
}

func (t *Transport) servePreVote(ctx context.Context, from topology.NodeID, payload []byte) ([]byte, error) {
	h, v, err := decodeBallot(from, payload)
	if err != nil {
		return nil, err
	}
	candidate := raft.ServerID(from)
	if !t.guard.mayHelp(candidate, 0, time.Now()) {
		t.drop(&t.stats.votesDropped, "pre-vote", candidate, v.term)
		return nil, ErrPromised
	}
	req := &raft.RequestPreVoteRequest{RPCHeader: h, Term: v.term, LastLogIndex: v.lastIndex, LastLogTerm: v.lastTerm}
	response, err := t.deliver(ctx, req)
	if err != nil {
		return nil, err
	}
	r, ok := response.(*raft.RequestPreVoteResponse)
	if !ok {
		return nil, fmt.Errorf("raft answered RequestPreVote with a %T", response)
	}
	if !r.Granted && v.term >= r.Term && t.wouldFollow(candidate, v) {
		r.Granted, r.Term = true, v.term
	}
	return appendVerdict(nil, r.Term, r.Granted), nil
}

// forsaken is the guard's. A sole voter leads without having asked anybody, but not without sending when there are others.
func (t *Transport) forsaken() bool { return t.guard.forsaken(t.acks.newestTerm(), time.Now()) }

// wouldFollow says whether Raft has refused a pre-vote only because it has not forgotten its leader yet. There is no flag against that as
// votes have.
func (t *Transport) wouldFollow(candidate raft.ServerID, v ballot) bool {
	last := t.lastEntry.Load()
	if last == nil || !t.forsaken() || !t.acks.isVoter(candidate) {
		return false
	}
	term, index, known := (*last)()
	return known && (v.lastTerm > term || v.lastTerm == term && v.lastIndex >= index)
}

func (t *Transport) serveTimeoutNow(ctx context.Context, from topology.NodeID, payload []byte) ([]byte, error) {
	req, term, err := decodeTimeoutNow(from, payload)
	if err != nil {
		return nil, err
	}
	if !t.guard.takeOver(raft.ServerID(from), term) {
		t.drop(&t.stats.transfersDropped, "take-over", raft.ServerID(from), term)
		return nil, fmt.Errorf("node %s does not lead term %d here: not taking over", from, term)
	}
	_, err = t.deliver(ctx, req)
	return nil, err
}

// serveSnapshot returns only when Raft is through with body, whatever becomes of ctx: a lost stream fails the
// reads, and Raft then gives up.
func (t *Transport) serveSnapshot(ctx context.Context, from topology.NodeID, header []byte, size int64, body io.Reader) ([]byte, error) {
	req, err := decodeSnapshot(from, header, size)
	if err != nil {
		return nil, err
	}
	// Who sends a snapshot leads the term, so it might have sent a heartbeat just before. If Raft accepts one, the
	// guard can answer the real ones while Raft is busy with the snapshot.
	beat := &raft.AppendEntriesRequest{RPCHeader: req.RPCHeader, Term: req.Term, Leader: req.Leader}
	response, err := t.deliver(ctx, beat)
	if err != nil {
		return nil, err
	}
	if _, err := t.acknowledge(nil, beat, response); err != nil {
		return nil, err
	}
	defer t.guard.install(raft.ServerID(from), req.Term)()
	return t.install(ctx, req, body)
}

// RefuseSnapshot has the snapshot up to index, which Raft is installing and will fail to, answered without an error: as refused in the
// term of its sender. Raft installs one at a time.
func (t *Transport) RefuseSnapshot(index uint64) { t.refused.Store(index) }

func (t *Transport) install(ctx context.Context, req *raft.InstallSnapshotRequest, body io.Reader) ([]byte, error) {
	t.refused.Store(0)
	answer := make(chan raft.RPCResponse, 1)
	select {
	case t.consumer <- raft.RPC{Command: req, Reader: body, RespChan: answer}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.ctx.Done():
		return nil, ErrClosed
	}
	select {
	case r := <-answer:
		switch {
		case r.Error == nil:
		case req.LastLogIndex > 0 && t.refused.Load() == req.LastLogIndex:
			return appendVerdict(nil, req.Term, false), nil
		default:
			return nil, fmt.Errorf("install snapshot: %w", r.Error)
		}
		s, ok := r.Response.(*raft.InstallSnapshotResponse)
		if !ok {
			return nil, fmt.Errorf("raft answered InstallSnapshot with a %T", r.Response)
		}
		return appendVerdict(nil, s.Term, s.Success), nil
	case <-t.ctx.Done():
		return nil, ErrClosed
	}
}
