package consensus

import (
	"context"
	"time"
)

// round is one confirmation that all reads share which arrived before it began.
type round struct {
	waiting []func(Ticket, error)
}

// end gives the outcome to all who wait for it.
func (r *round) end(t Ticket, err error) {
	for _, done := range r.waiting {
		done(t, err)
	}
}

// Confirm is the slow path: it waits for a round of acknowledgements that begins after the call, shared with all reads
// that arrive in the meantime. Errors: *NotLeaderError, ErrNotConfirmed, ErrClosed, or ctx's.
func (g *Gate) Confirm(ctx context.Context) (Ticket, error) {
	type outcome struct {
		ticket Ticket
		err    error
	}
	ended := make(chan outcome, 1)
	g.WhenConfirmed(func(t Ticket, err error) { ended <- outcome{t, err} })
	select {
	case o := <-ended:
		return o.ticket, o.err
	case <-ctx.Done():
		return Ticket{}, ctx.Err()
	}
}

// WhenConfirmed is Confirm for those who do not wait: it returns at once, and done is called exactly once: by the goroutine that
// runs the rounds, and the next one begins when it has returned; or at once, if the replica is closed.
func (g *Gate) WhenConfirmed(done func(Ticket, error)) {
	if !g.join(done) {
		done(Ticket{}, ErrClosed)
	}
}

// join adds a read to the round that begins next. False: there will be none.
func (g *Gate) join(done func(Ticket, error)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	if g.next == nil {
		g.next = &round{}
		select {
		case g.kick <- struct{}{}:
		default:
		}
	}
	g.next.waiting = append(g.next.waiting, done)
	return true
}

// runRounds runs one round after the other until the replica is closed; a read never joins the one under way.
func (g *Gate) runRounds() {
	for {
		select {
		case <-g.kick:
		case <-g.r.ctx.Done():
			if r := g.take(true); r != nil {
				r.end(Ticket{}, ErrClosed)
			}
			return
		}
		if r := g.take(false); r != nil {
			r.end(g.confirm())
		}
	}
}

// take returns the round that was joined, nil if nobody has; last says that it is the last one.
func (g *Gate) take(last bool) *round {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.next
	g.next, g.closed = nil, last
	return r
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
	index, err := r.readIndex(ctx)
	if err == nil {
		r.transport.ask(index)
	}
	return index, err
}

func (r *Replica) readIndex(ctx context.Context) (uint64, error) {
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
