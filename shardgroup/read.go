package shardgroup

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/shardgroup/consensus"
)

// ReadNow answers a call of reads only, on the caller's goroutine, if the read gate is open. False: it is not, and nothing
// was answered; Read would wait. c.Done is not called.
func (g *Group) ReadNow(c *Call) bool {
	ticket, ok := g.replica.Gate().Enter()
	if !ok {
		return false
	}
	c.begin(time.Time{})
	if g.read(c, g.clock.now()) && g.replica.Gate().Check(ticket) {
		g.stats.fastReads.Add(1)
		return true
	}
	c.rewind()
	return false
}

// Read answers a call of reads only, on the caller's goroutine, behind the read gate. It may wait for a leader or a
// confirmation, bounded by Limits.Park. c.Done is not called.
func (g *Group) Read(c *Call) {
	if g.ReadNow(c) {
		return
	}
	c.begin(time.Now())
	g.stats.slowReads.Add(1)
	ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Limits.Park)
	defer cancel()
	if err := g.readSlowly(ctx, c); err != nil {
		c.rewind()
		c.Err = err
	}
}

// read executes a call's reads on the present state. False: the log's clock must advance first.
func (g *Group) read(c *Call, wall int64) (fresh bool) {
	c.Ends, c.Moved, fresh = g.machine.ReadAll(c.Ops, wall, &c.Out, c.Ends, c.Moved)
	return fresh
}

// readSlowly confirms, reads and checks until that succeeds. Nothing is applied by a read, so every error is a refusal.
func (g *Group) readSlowly(ctx context.Context, c *Call) error {
	for {
		ticket, err := g.confirm(ctx)
		if err != nil {
			return err
		}
		fresh := g.read(c, g.clock.now())
		if fresh && g.replica.Gate().Check(ticket) {
			return nil
		}
		c.rewind()
		if !fresh {
			// Of the errors only the end of ctx matters: without a leader, confirm says so.
			_, _ = g.advance(ctx)
		}
	}
}

// confirm gets a ticket from the gate, waiting for a leader while there is none.
func (g *Group) confirm(ctx context.Context) (consensus.Ticket, error) {
	for {
		changed := g.replica.Changed()
		if l := g.replica.Leader(); l.Leader != "" && l.Leader != g.cfg.Self {
			return consensus.Ticket{}, &NotLeaderError{Leader: l.Leader}
		}
		ticket, err := g.replica.Gate().Confirm(ctx)
		if err == nil {
			return ticket, nil
		}
		var notLeader *consensus.NotLeaderError
		switch {
		case errors.As(err, &notLeader) && notLeader.Leader != "":
			return ticket, &NotLeaderError{Leader: notLeader.Leader}
		case ctx.Err() != nil, errors.Is(err, consensus.ErrClosed):
			return ticket, ErrNoLeader
		case notLeader == nil:
			continue // ErrNotConfirmed: this replica will learn that it does not lead, or succeed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ticket, ErrNoLeader
		}
	}
}

// advance waits for an entry that is proposed after the call, and returns an index at or behind it. Entries with nothing
// but the time are at least advancePace apart, and all who wait share one.
func (g *Group) advance(ctx context.Context) (uint64, error) {
	a := g.queue.join()
	select {
	case <-a.done:
		return a.index, a.err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-g.ended:
		return 0, ErrNoLeader
	}
}
