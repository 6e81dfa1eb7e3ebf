package consensus

import (
	"context"
	"time"
)

// round is one confirmation that all reads share which arrived before it began.
type round struct {
	done   chan struct{}
	ticket Ticket
	err    error
}

// Confirm is the slow path: it waits for a round of acknowledgements that begins after the call, shared with all reads
// that arrive in the meantime. Errors: *NotLeaderError, ErrNotConfirmed, ErrClosed, or ctx's.
func (g *Gate) Confirm(ctx context.Context) (Ticket, error) {
	round := g.join()
	select {
	case <-round.done:
		return round.ticket, round.err
	case <-ctx.Done():
		return Ticket{}, ctx.Err()
	case <-g.r.ctx.Done():
		return Ticket{}, ErrClosed
	}
}

// join adds a read to the round that begins next.
func (g *Gate) join() *round {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next = &round{done: make(chan struct{})}
		select {
		case g.kick <- struct{}{}:
		default:
		}
	}
	return g.next
}

// runRounds runs one round after the other; a read never joins the one under way.
func (g *Gate) runRounds() {
	for {
		select {
		case <-g.kick:
		case <-g.r.ctx.Done():
			return
		}
		g.mu.Lock()
		round := g.next
		g.next = nil
		g.mu.Unlock()
		round.ticket, round.err = g.confirm()
		close(round.done)
	}
}

// confirm makes sure that this replica still leads at a time after the call. It asks one follower, and all of them if that
// is not enough. VerifyLeader only triggers heartbeats: it would itself be content with answers to messages sent earlier (F3).
func (g *Gate) confirm() (Ticket, error) {
	g.rounds.Add(1)
	began := time.Now()
	if l := g.r.Leader(); l.Ready && l.Leader == g.r.cfg.Self && !g.r.cfg.off.SendTimes && g.confirmByOne(l.Term, began) {
		return Ticket{term: l.Term, confirmed: true}, nil
	}
	return g.confirmByAll(began)
}

// confirmByOne reports whether one follower has confirmed it. The message was sent after began, also if the clock says: at.
func (g *Gate) confirmByOne(term uint64, began time.Time) bool {
	if !g.r.cfg.Transport.Beat(term, g.r.cfg.Timing.Heartbeat/10) {
		return false
	}
	sent, ok := g.r.cfg.Transport.QuorumSent(term)
	return ok && !sent.Before(began) && g.leads(term)
}

func (g *Gate) confirmByAll(began time.Time) (Ticket, error) {
	defer g.r.transport.want()()
	deadline := time.NewTimer(g.r.cfg.Timing.Heartbeat + g.r.cfg.Timing.Election)
	defer deadline.Stop()
	again := time.NewTicker(g.r.cfg.Timing.Heartbeat / 10)
	defer again.Stop()
	triggered := false
	for {
		changed, acks := g.r.Changed(), g.r.cfg.Transport.AckNotify()
		l := g.r.Leader()
		if l.Leader != g.r.cfg.Self {
			return Ticket{}, &NotLeaderError{Leader: l.Leader}
		}
		if l.Ready && g.confirmed(l.Term, began) {
			return Ticket{term: l.Term, confirmed: true}, nil
		}
		if !triggered {
			triggered = g.trigger()
		}
		select {
		case <-changed:
		case <-acks:
		case <-again.C:
			triggered = false
		case <-deadline.C:
			return Ticket{}, ErrNotConfirmed
		case <-g.r.ctx.Done():
			return Ticket{}, ErrClosed
		}
	}
}

func (g *Gate) confirmed(term uint64, since time.Time) bool {
	if inst := g.r.current.Load(); g.r.cfg.off.SendTimes && inst != nil {
		return inst.raft.VerifyLeader().Error() == nil
	}
	sent, ok := g.r.cfg.Transport.QuorumSent(term)
	// After, not at: two clock readings can be equal, and then nobody knows which came first.
	return ok && sent.After(since) && g.leads(term)
}

func (g *Gate) trigger() bool {
	if inst := g.r.current.Load(); inst != nil {
		inst.raft.VerifyLeader()
	}
	return true
}

// ReadIndex returns, on the leader, an index such that a state with at least that index applied shows every write
// that was acknowledged before the call: what a follower must wait for before it answers a linearizable read.
func (r *Replica) ReadIndex(ctx context.Context) (uint64, error) {
	// If this replica leads, its state machine was given every write that is acknowledged; that it leads is what remains
	// to be shown. Applied would not do: the state machine acknowledges before it is done.
	index := r.fsm.begun.Load()
	if r.cfg.off.ReadIndex && r.gate.ready.Load() != 0 {
		return index, nil
	}
	if ticket, ok := r.gate.Enter(); ok && r.gate.Check(ticket, time.Now()) {
		return index, nil
	}
	ticket, err := r.gate.Confirm(ctx)
	if err != nil {
		return 0, err
	}
	index = r.fsm.begun.Load()
	if !r.gate.Check(ticket, time.Now()) {
		return 0, &NotLeaderError{Leader: r.otherLeader()}
	}
	return index, nil
}
