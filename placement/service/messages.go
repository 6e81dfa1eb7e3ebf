package service

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/bootstrap"
	"github.com/quorate/quorate/placement/plan"
	"github.com/quorate/quorate/placement/sealed"
	"github.com/quorate/quorate/placement/topology"
)

// maxSmall bounds the requests that carry no map and no command, in bytes; a Hello with a proposal of 1024 nodes is
// the largest.
const maxSmall = 1 << 20

// maxLarge bounds the others.
const maxLarge = placement.MaxCommand + 1<<20

// greeting is KindHello's request and answer.
type greeting struct {
	bootstrap.Hello
	// Known are peer addresses of nodes that the sender has heard of directly: hearsay, to be greeted in turn.
	Known []string `json:"known,omitempty"`
}

// proposal is KindPropose's request.
type proposal struct {
	Cluster string          `json:"cluster"`
	Command json.RawMessage `json:"command"`
	// Forward asks a node that does not lead to carry the command on.
	Forward bool `json:"forward,omitempty"`
}

// fate is KindPropose's answer: what became of the command.
type fate struct {
	Outcome outcome `json:"outcome"`
	// Epoch is the map's after the command, if it was applied.
	Epoch uint64 `json:"epoch,omitempty"`
	// Text explains everything but applied.
	Text string `json:"text,omitempty"`
	// Leader is who leads instead, if known.
	Leader topology.NodeID `json:"leader,omitempty"`
}

// outcome is part of the wire: do not rename the values.
type outcome string

const (
	applied    outcome = "applied"
	refused    outcome = "refused"
	notApplied outcome = "not-applied"
	unknown    outcome = "unknown"
)

// watch is KindWatch's request: answer when the map's epoch is higher than Epoch, or after WaitMS milliseconds.
type watch struct {
	Cluster string `json:"cluster"`
	Epoch   uint64 `json:"epoch"`
	WaitMS  int64  `json:"wait_ms"`
}

// news is KindWatch's answer.
type news struct {
	// Map is nil if there is nothing newer.
	Map *topology.Map `json:"map,omitempty"`
	// Leader leads placement as far as the answering voter knows; "" if it is out of touch, then its map may be old.
	Leader topology.NodeID `json:"leader,omitempty"`
}

// inquiry is KindStatus's request.
type inquiry struct {
	Cluster string `json:"cluster"`
}

// handover is KindTransfer's request: whoever leads Group in Term is to hand it over to To. Term 0 is any.
type handover struct {
	Cluster string          `json:"cluster"`
	Group   slot.GroupID    `json:"group"`
	Term    uint64          `json:"term"`
	To      topology.NodeID `json:"to"`
}

// reconfigure is KindMembers's request: whoever leads Group in Term is to change its Raft configuration.
type reconfigure struct {
	Cluster string          `json:"cluster"`
	Group   slot.GroupID    `json:"group"`
	Term    uint64          `json:"term"`
	Action  plan.Action     `json:"action"`
	Node    topology.NodeID `json:"node"`
	Config  uint64          `json:"config"`
}

// decode reads one message of at most limit bytes.
func decode(data []byte, limit int, into any) error {
	if len(data) > limit {
		return fmt.Errorf("placement: message of %d bytes: at most %d", len(data), limit)
	}
	if err := sealed.Decode(data, into); err != nil {
		return fmt.Errorf("placement: decode message: %w", err)
	}
	return nil
}

// serving makes a Handler of f.
func serving[Q, A any](limit int, f func(context.Context, topology.NodeID, Q) (A, error)) Handler {
	return func(ctx context.Context, from topology.NodeID, _ slot.GroupID, payload []byte) ([]byte, error) {
		var q Q
		if err := decode(payload, limit, &q); err != nil {
			return nil, err
		}
		a, err := f(ctx, from, q)
		if err != nil {
			return nil, err
		}
		return json.Marshal(a)
	}
}

// ask sends q to node to and reads the answer.
func ask[A any](ctx context.Context, s *Service, to topology.NodeID, kind uint8, q any) (a A, err error) {
	payload, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	data, err := s.c.Peers.Call(ctx, to, kind, 0, payload)
	if err != nil {
		return a, err
	}
	return a, decode(data, maxLarge, &a)
}
