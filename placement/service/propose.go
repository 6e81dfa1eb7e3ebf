package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// proposeLimit ends a proposal whose context has no deadline.
const proposeLimit = 10 * time.Second

// Propose carries a command to placement's leader and returns the map's epoch after it. It looks for the leader until
// ctx ends (10 s without a deadline). Errors wrap ErrNotApplied, ErrUnknown, ErrNoCluster, or are a *placement.Refusal.
func (s *Service) Propose(ctx context.Context, c placement.Change) (epoch uint64, err error) {
	data, err := placement.Command{Change: c}.Encode()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotApplied, err)
	}
	f := s.carry(ctx, data)
	switch f.Outcome {
	case applied:
		return f.Epoch, nil
	case refused:
		return 0, &placement.Refusal{Reason: f.Text}
	case notApplied:
		if s.Cluster() == "" {
			return 0, ErrNoCluster
		}
		return 0, fmt.Errorf("%w: %s", ErrNotApplied, f.Text)
	}
	return 0, fmt.Errorf("%w: %s", ErrUnknown, f.Text)
}

// carry offers a command to whoever leads until somebody has decided its fate. It tries again only while the command
// was certainly not applied.
func (s *Service) carry(ctx context.Context, data []byte) fate {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, proposeLimit)
		defer cancel()
	}
	last := fate{Outcome: notApplied, Text: "no leader of placement is known"}
	to, delay := s.Leader(), s.c.Timing.Retry/4
	for turn := 0; ctx.Err() == nil && s.ctx.Err() == nil; turn++ {
		if voters := s.voters(); to == "" && len(voters) > 0 {
			to = voters[turn%len(voters)]
		}
		if to == "" {
			return last
		}
		if last = s.offer(ctx, to, data); last.Outcome != notApplied {
			return last
		}
		hinted := last.Leader != "" && last.Leader != to
		to = last.Leader
		// One hint is followed at once; two nodes that take each other for the leader must not keep us spinning.
		if hinted && turn == 0 {
			continue
		}
		if !hinted {
			to = ""
		}
		if !s.pauseUnder(ctx, delay) {
			return last
		}
		delay = min(2*delay, 5*s.c.Timing.Retry)
	}
	return last
}

// offer asks one node, which may be this one, to append the command.
func (s *Service) offer(ctx context.Context, to topology.NodeID, data []byte) fate {
	if to == s.c.Self.ID {
		return s.proposeHere(data)
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.Timing.Call)
	defer cancel()
	f, err := ask[fate](ctx, s, to, KindPropose, proposal{Cluster: s.Cluster(), Command: data})
	switch {
	case err == nil:
		return f
	case s.c.NotSent(err):
		return fate{Outcome: notApplied, Text: err.Error()}
	}
	return fate{Outcome: unknown, Text: err.Error()}
}

// proposeHere appends the command to this node's own replica.
func (s *Service) proposeHere(data []byte) fate {
	rep := s.held()
	if rep == nil {
		return fate{Outcome: notApplied, Text: fmt.Sprintf("node %s holds no replica of placement", s.c.Self.ID), Leader: s.Leader()}
	}
	res, err := rep.Propose(data)
	if err != nil {
		return failed(err)
	}
	v, ok := res.Response.(verdict)
	if !ok {
		return fate{Outcome: unknown, Text: fmt.Sprintf("the machine answered with a %T", res.Response)}
	}
	if v.err != nil {
		var refusal *placement.Refusal
		if errors.As(v.err, &refusal) {
			return fate{Outcome: refused, Text: refusal.Reason}
		}
		return fate{Outcome: unknown, Text: v.err.Error()}
	}
	return fate{Outcome: applied, Epoch: v.epoch}
}

func failed(err error) fate {
	if !consensus.NotApplied(err) {
		return fate{Outcome: unknown, Text: err.Error()}
	}
	f := fate{Outcome: notApplied, Text: err.Error()}
	var other *consensus.NotLeaderError
	if errors.As(err, &other) {
		f.Leader = topology.NodeID(other.Leader)
	}
	return f
}

// servePropose appends another node's command, or carries it on.
func (s *Service) servePropose(ctx context.Context, _ topology.NodeID, q proposal) (fate, error) {
	if err := s.sameCluster(q.Cluster); err != nil {
		return fate{Outcome: notApplied, Text: err.Error()}, nil
	}
	if _, err := placement.Decode(q.Command); err != nil {
		return fate{Outcome: refused, Text: err.Error()}, nil
	}
	if q.Forward {
		return s.carry(ctx, q.Command), nil
	}
	return s.proposeHere(q.Command), nil
}

// pauseUnder is pause, ended by ctx too.
func (s *Service) pauseUnder(ctx context.Context, d time.Duration) bool {
	return s.pause(d, ctx.Done()) && ctx.Err() == nil
}
