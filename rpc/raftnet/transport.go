package raftnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

var (
	// ErrPromised: a guard kept the message back, because it would break a promise or the votes are held.
	ErrPromised = errors.New("held back: it would break a promise to the present leader")
	// ErrClosed: the transport's Close was called.
	ErrClosed = errors.New("the group's transport is closed")

	errNoTerm = errors.New("leadership cannot be handed over by a node that has led no term")
)

// Transport is the raft.Transport (with pre-vote and Close) of one group on this node. The ServerAddress and the
// ServerID of a replica are both its node's ID.
type Transport struct {
	link  Link
	mux   *Mux
	group slot.GroupID
	self  raft.ServerID
	o     Options
	off   Off

	guard guard
	acks  acks
	stats counters

	// consumer is unbuffered: what Raft has not begun to look at can still be withdrawn.
	consumer chan raft.RPC
	// refused is the index of the snapshot that RefuseSnapshot named last.
	refused atomic.Uint64
	// lastEntry is what SetLastEntry was given.
	lastEntry atomic.Pointer[func() (term, index uint64, known bool)]
	// heartbeat is Raft's fast path for heartbeats; kept only when the guard against it is off.
	heartbeat atomic.Pointer[func(raft.RPC)]

	desk desk
	// selfID is self, as Raft wants it. lastSender is whoever sent something last: mostly the leader.
	selfID     []byte
	lastSender atomic.Pointer[sender]

	ctx    context.Context
	cancel context.CancelFunc
}

// sender is a node's ID in all its forms. It is immutable, and so are the bytes.
type sender struct {
	node    topology.NodeID
	server  raft.ServerID
	address raft.ServerAddress
	id      []byte
}

// sender gives the forms of an ID, without making them again for the node that was asked for last.
func (t *Transport) sender(node topology.NodeID) *sender {
	if s := t.lastSender.Load(); s != nil && s.node == node {
		return s
	}
	s := &sender{node, raft.ServerID(node), raft.ServerAddress(node), []byte(node)}
	t.lastSender.Store(s)
	return s
}

var (
	_ raft.Transport   = (*Transport)(nil)
	_ raft.WithPreVote = (*Transport)(nil)
	_ raft.WithClose   = (*Transport)(nil)
)

// Consumer implements raft.Transport.
func (t *Transport) Consumer() <-chan raft.RPC { return t.consumer }

// LocalAddr implements raft.Transport.
func (t *Transport) LocalAddr() raft.ServerAddress { return raft.ServerAddress(t.self) }

// EncodePeer implements raft.Transport: the ID is the address (lease hazard 11: an address may pass to another node).
// Raft asks for its own ID's with every message, and does not write to it.
func (t *Transport) EncodePeer(id raft.ServerID, _ raft.ServerAddress) []byte {
	if id == t.self {
		return t.selfID
	}
	return []byte(id)
}

// DecodePeer implements raft.Transport.
func (t *Transport) DecodePeer(b []byte) raft.ServerAddress {
	if s := t.lastSender.Load(); s != nil && string(s.node) == string(b) {
		return s.address // no string was made for the comparison
	}
	return raft.ServerAddress(b)
}

// SetHeartbeatHandler ignores Raft's fast path: it would run Raft's code beside Raft's main loop (F2). How a busy
// main loop is bridged is told in DESIGN.md.
func (t *Transport) SetHeartbeatHandler(handler func(raft.RPC)) {
	if t.off.SerialHeartbeats {
		t.heartbeat.Store(&handler)
	}
}

// AppendEntriesPipeline implements raft.Transport. There is none: a pipeline wedges a follower for good after a
// stall of its disk (F8), and one request in flight per follower carries a whole batch anyway.
func (t *Transport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// AppendEntries implements raft.Transport. It cuts args.Entries and clamps args.LeaderCommitIndex in place; raft
// counts as replicated what is in args after the return.
func (t *Transport) AppendEntries(id raft.ServerID, _ raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	timeout := appendTimeout
	if isHeartbeat(args) {
		timeout = t.heartbeatTimeout()
	}
	return t.append(timeout, id, args, resp)
}

func (t *Transport) append(timeout time.Duration, id raft.ServerID, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	args.Entries = cut(args.Entries)
	t.clamp(args)
	t.acks.observe(args)

	x := exchanges.Get().(*exchange)
	defer x.recycle()
	var err error
	if x.frame, err = appendAppend(x.frame[:0], args); err != nil {
		return err
	}
	timeout += time.Duration(len(x.frame)) * (time.Second / minRate)
	sent := time.Now()
	reply, err := t.ask(timeout, id, KindAppend, x.frame, x.reply[:0])
	if errors.Is(err, peer.ErrTooLarge) {
		// Raft takes it for a fault of the network, which ends, and tries again for ever.
		t.o.Logger.Error("an entry is too large to be sent: this replica gets nothing more until a snapshot covers it", "group", t.group,
			"node", id, "index", args.PrevLogEntry+1, "bytes", len(x.frame))
	}
	if err != nil {
		return err
	}
	a, err := decodeAck(reply)
	if err != nil {
		return err
	}
	*resp = a.AppendEntriesResponse
	t.acks.record(id, args.Term, sent, &a)
	return nil
}

// exchange is the memory of an AppendEntries request and of its answer.
type exchange struct {
	frame []byte
	reply [maxAck]byte
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// recycle puts x back for reuse, without the room that a large entry took.
func (x *exchange) recycle() {
	if cap(x.frame) > 2*maxAppendBytes {
		x.frame = nil
	}
	exchanges.Put(x)
}

// heartbeatTimeout leaves room for a follower that is busy, and is short enough to try a new connection in time.
func (t *Transport) heartbeatTimeout() time.Duration { return max(2*t.o.Lease, 500*time.Millisecond) }

// cut returns the first entries up to maxAppendBytes, at least one.
func cut(entries []*raft.Log) []*raft.Log {
	size := 0
	for i, e := range entries {
		size += len(e.Data) + len(e.Extensions)
		if size > maxAppendBytes && i > 0 {
			return entries[:i]
		}
	}
	return entries
}

// clamp keeps the follower from committing entries that this request does not confirm (F1): raft's followers take
// min(commit index, own last index), the Raft paper (figure 2) the index of the last new entry.
func (t *Transport) clamp(args *raft.AppendEntriesRequest) {
	confirmed := args.PrevLogEntry + uint64(len(args.Entries))
	if args.LeaderCommitIndex > confirmed && !t.off.Clamp {
		args.LeaderCommitIndex = confirmed
		t.stats.clamped.Add(1)
	}
}

// isHeartbeat recognises what raft's heartbeat loop sends: nothing but the term.
func isHeartbeat(a *raft.AppendEntriesRequest) bool {
	return len(a.Entries) == 0 && a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && a.LeaderCommitIndex == 0
}

// RequestVote implements raft.Transport.
func (t *Transport) RequestVote(id raft.ServerID, _ raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	consent, ok := t.guard.campaign(t.self, args.Term, args.LeadershipTransfer, time.Now())
	if !ok {
		t.drop(&t.stats.campaignsHeld, "own candidacy", id, args.Term)
		return ErrPromised
	}
	v := ballot{args.Term, args.LastLogIndex, args.LastLogTerm, args.LeadershipTransfer, consent}
	reply, err := t.ask(ballotTimeout, id, KindVote, appendBallot(nil, args.ProtocolVersion, v), nil)
	if err != nil {
		return err
	}
	resp.Term, resp.Granted, err = decodeVerdict(reply)
	return err
}

// RequestPreVote implements raft.WithPreVote. A pre-vote binds nobody, but one that could only lead to a candidacy
// that the guard holds back would raise the term for nothing.
func (t *Transport) RequestPreVote(id raft.ServerID, _ raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if !t.guard.mayHelp(t.self, 0, time.Now()) {
		t.drop(&t.stats.campaignsHeld, "own pre-candidacy", id, args.Term)
		return ErrPromised
	}
	v := ballot{term: args.Term, lastIndex: args.LastLogIndex, lastTerm: args.LastLogTerm}
	reply, err := t.ask(ballotTimeout, id, KindPreVote, appendBallot(nil, args.ProtocolVersion, v), nil)
	if err != nil {
		// Not the error's own text: raft counts a pre-vote as granted if it contains "unexpected command".
		return fmt.Errorf("pre-vote: no verdict of node %s", id)
	}
	resp.Term, resp.Granted, err = decodeVerdict(reply)
	return err
}

// TimeoutNow implements raft.Transport. The lease is gone for the rest of the term before the target can hear of
// it, and stays gone if the target never does (lease hazards 4 and 5).
func (t *Transport) TimeoutNow(id raft.ServerID, _ raft.ServerAddress, args *raft.TimeoutNowRequest, _ *raft.TimeoutNowResponse) error {
	term := t.acks.newestTerm()
	if term == 0 {
		return errNoTerm
	}
	if !t.off.Revoke {
		t.acks.revoke(term)
	}
	_, err := t.ask(ballotTimeout, id, KindTimeoutNow, appendTimeoutNow(nil, args.ProtocolVersion, term), nil)
	return err
}

// InstallSnapshot implements raft.Transport. It has no deadline of its own; it fails when nothing moves.
func (t *Transport) InstallSnapshot(id raft.ServerID, _ raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	reply, err := t.link.Stream(t.ctx, topology.NodeID(id), KindSnapshot, t.group, appendSnapshot(nil, args), args.Size, data)
	if err != nil {
		return fmt.Errorf("group %d: send snapshot to node %s: %w", t.group, id, err)
	}
	resp.Term, resp.Success, err = decodeVerdict(reply)
	return err
}

func (t *Transport) ask(timeout time.Duration, to raft.ServerID, kind peer.Kind, frame, reply []byte) ([]byte, error) {
	return t.link.Ask(t.ctx.Done(), timeout, topology.NodeID(to), kind, t.group, frame, reply)
}

// Close implements raft.WithClose: it ends every call in flight and answers nothing more. The promises end with it, so
// whoever opens the group again in this process must set Options.HadState. Raft's Shutdown calls it if raft sees it; it
// may be called before, to keep Shutdown from waiting for a snapshot on its way out.
func (t *Transport) Close() error {
	t.cancel()
	t.mux.remove(t)
	t.desk.close()
	return nil
}
