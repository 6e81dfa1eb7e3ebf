package shardgroup

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// Reads are calls of reads, of any number of groups, that are answered together on one goroutine: they wait for memory together
// and share two looks at the clock. The zero value is ready; Answer leaves it ready to be used again.
type Reads struct {
	calls    []joined
	readings []fsm.Reading
}

type joined struct {
	g      *Group
	c      *Call
	ticket consensus.Ticket
	// answered counts the calls that were answered this way.
	answered *atomic.Uint64
}

// Join adds a call to rs if the read gate is open. False: it is not, and Read would wait.
func (g *Group) Join(rs *Reads, c *Call) bool {
	ticket, ok := g.replica.Gate().Enter()
	if ok {
		rs.calls = append(rs.calls, joined{g, c, ticket, &g.stats.fastReads})
	}
	return ok
}

// Answer answers the calls that joined and sets their Answered, but for those whose gate has closed or whose keys need the
// log's clock to advance: these have no replies, and Read would wait. Done is not called.
func (rs *Reads) Answer() {
	if len(rs.calls) == 0 {
		return
	}
	now := time.Now()
	for _, j := range rs.calls {
		j.c.begin(time.Time{})
		rs.readings = append(rs.readings, fsm.Reading{
			Machine: j.g.machine, Ops: j.c.Ops, Wall: j.g.clock.at(now), Out: &j.c.Out, Ends: j.c.Ends, NotOwned: j.c.Moved,
		})
	}
	fsm.ReadAll(rs.readings)
	now = time.Now()
	for i, j := range rs.calls {
		r := &rs.readings[i]
		j.c.Ends, j.c.Moved = r.Ends, r.NotOwned
		if j.c.Answered = !r.Stale && j.g.replica.Gate().Check(j.ticket, now); j.c.Answered {
			j.answered.Add(1)
		} else {
			j.c.rewind()
		}
	}
	clear(rs.calls)
	clear(rs.readings)
	rs.calls, rs.readings = rs.calls[:0], rs.readings[:0]
}

// Read answers a call of reads only, on the caller's goroutine, behind the read gate. It may wait for a leader or a
// confirmation, bounded by Limits.Park (with NoPark, a confirmation by its default). c.Done is not called.
func (g *Group) Read(c *Call) {
	var rs Reads
	if c.Answered = false; g.Join(&rs, c) {
		if rs.Answer(); c.Answered {
			return
		}
	}
	g.readBy(time.Now().Add(g.cfg.Limits.patience()), c)
}

// readBy is Read without the fast path, and gives up at deadline.
func (g *Group) readBy(deadline time.Time, c *Call) {
	c.begin(time.Time{})
	g.stats.slowReads.Add(1)
	ctx, cancel := context.WithDeadline(g.ctx, deadline)
	defer cancel()
	if err := g.readSlowly(ctx, c); err != nil {
		c.rewind()
		c.Err = err
	}
}

// read executes a call's reads on the present state. False: the log's clock must advance first.
func (g *Group) read(c *Call, wall, shown int64) (fresh bool) {
	r := []fsm.Reading{{Machine: g.machine, Ops: c.Ops, Wall: wall, Shown: shown, Out: &c.Out, Ends: c.Ends, NotOwned: c.Moved}}
	fsm.ReadAll(r)
	c.Ends, c.Moved = r[0].Ends, r[0].NotOwned
	return !r[0].Stale
}

// ReadTogether is how many reads it is worth to answer together, or a call more: the machine looks up sixteen at a time, and the
// first client should not wait for the last.
const ReadTogether = 64

// readBatch are calls of reads that wait for a confirmation.
type readBatch struct {
	g        *Group
	calls    []*Call
	deadline time.Time
	// expiry claims the batch if nobody has until then.
	expiry  *time.Timer
	claimed atomic.Bool
}

// SubmitReads answers calls of reads only, all of them behind one confirmation, which others share: they cost one goroutine
// instead of one each. Each call's Done is called exactly once, from a goroutine of the group, a timer's, or from SubmitReads
// itself.
func (g *Group) SubmitReads(calls ...*Call) {
	b := &readBatch{g: g, calls: slices.Clone(calls), deadline: time.Now().Add(g.cfg.Limits.patience())}
	// A round takes longer than anybody should wait if Raft is stuck in a write of its log.
	b.expiry = time.AfterFunc(g.cfg.Limits.patience(), b.refuse)
	g.replica.Gate().WhenConfirmed(b.confirmed)
}

// confirmed must not hold up the rounds. They have ended before the group waits for its goroutines.
func (b *readBatch) confirmed(t consensus.Ticket, why error) {
	b.expiry.Stop()
	switch {
	case errors.Is(why, consensus.ErrClosed):
		b.refuse()
	case b.claimed.CompareAndSwap(false, true):
		b.g.wg.Go(func() { b.answer(t, why) })
	}
}

// refuse ends the calls, of which none was answered.
func (b *readBatch) refuse() {
	if !b.claimed.CompareAndSwap(false, true) {
		return
	}
	for _, c := range b.calls {
		c.begin(time.Time{})
		c.fail(ErrNoLeader)
	}
	b.calls = nil // the round may go on for long, and knows the batch
}

func (b *readBatch) answer(t consensus.Ticket, why error) {
	rs := pooledReads.Get().(*Reads)
	for calls := b.calls; len(calls) > 0; {
		n := 0
		for ops := 0; n < len(calls) && ops < ReadTogether; n++ {
			c := calls[n]
			ops += len(c.Ops)
			if c.Answered = false; why == nil {
				rs.calls = append(rs.calls, joined{b.g, c, t, &b.g.stats.slowReads})
			}
		}
		rs.Answer()
		for _, c := range calls[:n] {
			b.settle(c)
		}
		calls = calls[n:]
	}
	pooledReads.Put(rs)
}

// settle ends a call, or has it wait alone: there is no leader, or another one, or the log's clock must advance.
func (b *readBatch) settle(c *Call) {
	if c.Answered {
		c.Done(c)
		return
	}
	b.g.wg.Go(func() {
		b.g.readBy(b.deadline, c)
		c.Done(c)
	})
}

var pooledReads = sync.Pool{New: func() any { return new(Reads) }}

// readSlowly confirms, reads and checks until that succeeds. Nothing is applied by a read, so every error is a refusal.
func (g *Group) readSlowly(ctx context.Context, c *Call) error {
	for {
		ticket, err := g.confirm(ctx)
		if err != nil {
			return err
		}
		fresh := g.read(c, g.clock.now(), 0)
		if fresh && g.replica.Gate().Check(ticket, time.Now()) {
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
		case g.cfg.Limits.Park == NoPark:
			return ticket, ErrNoLeader
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
