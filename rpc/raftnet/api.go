package raftnet

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

// Link is the network below: *peer.Node, or a memnet.Node in tests and simulations.
type Link interface {
	Self() topology.NodeID
	Call(ctx context.Context, to topology.NodeID, kind peer.Kind, group slot.GroupID, payload []byte) ([]byte, error)
	Stream(ctx context.Context, to topology.NodeID, kind peer.Kind, group slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error)
	Handle(kind peer.Kind, h peer.Handler)
	HandleStream(kind peer.Kind, h peer.StreamHandler)
}

// Options are one group's timings and what is known about the replica at its start.
type Options struct {
	// Lease is D: for how long a follower that accepts an AppendEntries promises not to help anybody else to lead.
	// It must be shorter than the followers' HeartbeatTimeout. 400 ms by default.
	Lease time.Duration
	// Drift is ρ, the most by which two nodes' clocks may differ in speed; 0.01 by default.
	Drift float64
	// Margin is δ, taken off every lease for good measure; 5 ms by default.
	Margin time.Duration
	// HadState says that the replica had stable state (a term, a vote) before this start: an earlier run of it may
	// have made a promise that must be kept, so no vote leaves the node for Hold after Open.
	HadState bool
	// Hold is that time; Lease by default. It must be at least the longest Lease any earlier run has used.
	Hold time.Duration
	// HoldVotes starts the replica with its votes held back, until ReleaseVotes.
	HoldVotes bool
	// Logger gets dropped messages at debug level; slog.Default() if nil.
	Logger *slog.Logger
}

// Mux shares one Link among the groups of a node.
type Mux struct{}

// NewMux registers the Raft handlers on link. Call it before the link serves.
func NewMux(link Link) *Mux { return &Mux{} }

// Open returns the transport of one group's replica on this node. Give it to raft.NewRaft, which closes it.
func (m *Mux) Open(group slot.GroupID, o Options) (*Transport, error) { return nil, errSoon }

var errSoon = errors.New("raftnet: under construction")

// Transport is a raft.Transport (with pre-vote and Close) of one group. ServerAddress and ServerID of a replica are
// both its node's ID.
type Transport struct{ raft.Transport }

// SetVoters tells who votes. Call it with each configuration that is applied (raft.ConfigurationStore) and at the
// start; a configuration on its way to the followers is seen by the transport itself.
func (t *Transport) SetVoters(ids []raft.ServerID) {}

// QuorumSent returns the latest time t such that a quorum of the voters, this node included, has accepted an
// AppendEntries of term that was sent at or after t. False: there is no such time yet. It neither locks nor allocates.
func (t *Transport) QuorumSent(term uint64) (time.Time, bool) { return time.Time{}, false }

// LeaseUntil returns the time before which no other node can be elected, if this node leads term. False: there was
// no quorum yet or the lease is revoked. It neither locks nor allocates.
func (t *Transport) LeaseUntil(term uint64) (time.Time, bool) { return time.Time{}, false }

// Revoke drops the lease for the rest of term (and of all earlier ones).
func (t *Transport) Revoke(term uint64) {}

// AckNotify returns a channel that is closed when the next acknowledgement arrives. Take it, then look at
// QuorumSent, then wait: an acknowledgement between the first two steps is not missed.
func (t *Transport) AckNotify() <-chan struct{} { return nil }

// ReleaseVotes ends the hold of Options.HoldVotes: the replica has caught up.
func (t *Transport) ReleaseVotes() {}

// PeerAck says when a peer last acknowledged something in the newest term this node has led.
type PeerAck struct {
	ID raft.ServerID
	// Age is the time since the newest accepted AppendEntries was sent.
	Age time.Duration
	// Voter says whether its acknowledgements count.
	Voter bool
}

// Acks lists the peers that have acknowledged something in the newest term this node has led, by ID.
func (t *Transport) Acks() []PeerAck { return nil }
