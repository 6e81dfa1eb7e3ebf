package raftnet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/peer"
)

// Link is the network below: *peer.Node, or a *memnet.Node in tests and simulations.
type Link interface {
	Self() topology.NodeID
	Ask(stop <-chan struct{}, timeout time.Duration, to topology.NodeID, kind peer.Kind, group slot.GroupID, payload, reply []byte) ([]byte, error)
	Stream(ctx context.Context, to topology.NodeID, kind peer.Kind, group slot.GroupID, header []byte, size int64, body io.Reader) ([]byte, error)
	Handle(kind peer.Kind, h peer.Handler)
	Take(kind peer.Kind, t peer.Taker)
	HandleStream(kind peer.Kind, h peer.StreamHandler)
}

// The kinds of calls and streams on the link.
const (
	KindAppend peer.Kind = 1 + iota
	KindVote
	KindPreVote
	KindTimeoutNow
	KindSnapshot
)

// Defaults of Options.
const (
	DefaultLease  = 400 * time.Millisecond
	DefaultDrift  = 0.01
	DefaultMargin = 5 * time.Millisecond
)

// MaxLease bounds what Options and frames may say.
const MaxLease = 10 * time.Second

const (
	// appendTimeout is how long a request with entries may take, beside the time to send it at minRate bytes a second; a
	// follower's fsync is in it. A slower network than that never gets a large entry through: raft would begin again each time.
	appendTimeout = 5 * time.Second
	minRate       = 256 << 10
	// ballotTimeout is how long a vote may take: longer than an election it is of no use.
	ballotTimeout = time.Second
	// busyLimit is for how long a follower answers heartbeats for its Raft without Raft having accepted anything
	// (unless it is installing a snapshot). A log store that is stuck for that long has stopped the process before.
	busyLimit = 30 * time.Second
	// maxAppendBytes cuts what raft would send in one request: up to 64 entries of 256 KiB to a follower that is
	// behind would hold up the large requests of all other groups for 130 ms at 1 Gbit/s.
	maxAppendBytes = 1 << 20
)

// Options are one group's timings and what is known about the replica at its start.
type Options struct {
	// Lease is D: for how long a follower that accepts an AppendEntries promises not to help anybody else to lead.
	// It must be shorter than the followers' HeartbeatTimeout. 400 ms by default, at most 10 s.
	Lease time.Duration
	// Drift is ρ, the most by which two nodes' clocks may differ in speed; 0.01 by default.
	Drift float64
	// Margin is δ, taken off every lease for good measure; 5 ms by default.
	Margin time.Duration
	// HadState says that the replica had stable state (a term, a vote) before this start: an earlier run of it may
	// have made a promise that must be kept, so no vote leaves the node for Hold after Open.
	HadState bool
	// Hold is that time; Lease by default. It must be at least the longest Lease that an earlier run has used.
	Hold time.Duration
	// HoldVotes starts the replica with its votes held back, until ReleaseVotes.
	HoldVotes bool
	// Logger gets the messages that guards dropped, at debug level; slog.Default() if nil.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.Drift == 0 {
		o.Drift = DefaultDrift
	}
	if o.Margin == 0 {
		o.Margin = DefaultMargin
	}
	if o.Hold == 0 {
		o.Hold = o.Lease
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case o.Lease < time.Millisecond || o.Lease > MaxLease:
		return o, fmt.Errorf("raftnet: the lease is %v; it must be between 1ms and %v", o.Lease, MaxLease)
	case o.Drift < 0 || o.Drift >= 0.5:
		return o, fmt.Errorf("raftnet: the drift is %v; it must be at least 0 and less than 0.5", o.Drift)
	case o.Margin < 0 || o.Margin >= o.Lease:
		return o, fmt.Errorf("raftnet: the margin is %v; it must be at least 0 and less than the lease of %v", o.Margin, o.Lease)
	case o.Hold < o.Lease:
		return o, fmt.Errorf("raftnet: the hold is %v; it must be at least the lease of %v", o.Hold, o.Lease)
	}
	return o, nil
}
