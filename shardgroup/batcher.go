package shardgroup

import (
	"fmt"
	"math"
	"time"

	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/shardgroup/consensus"
)

const (
	// advancePace is the least time between two entries that carry nothing but the time, evictions or a limit.
	advancePace = 10 * time.Millisecond
	// refusedPause is how long the batcher waits after a refusal that will pass (a leadership transfer, a busy replica).
	refusedPause = 5 * time.Millisecond
	// huntPause is how long the leader rests from evicting by itself after it found nothing. Writes do not wait.
	huntPause = 100 * time.Millisecond
	// fewCalls is up to how many calls of an entry it pays to send it ahead: see consensus/ahead.go.
	fewCalls = 8
	// idleWait is the longest the batcher sleeps without a reason to wake.
	idleWait = time.Minute
)

// runBatcher turns calls into entries, one at a time: a second one in flight gains nothing, and while one is on its way
// the next fills up. It owns every call from the queue until the call is done.
func (g *Group) runBatcher() {
	defer close(g.ended)
	for {
		changed, l := g.replica.Changed(), g.replica.Leader()
		if g.queue.isClosed() && !g.mayFinish(l) {
			g.rejectAll(ErrNoLeader)
			return
		}
		var wait time.Duration
		switch {
		case l.Ready:
			g.clock.lead(l.Term, g.machine.Now())
			wait = g.workInTurn(changed)
		case l.Leader != "" && l.Leader != g.cfg.Self:
			g.rejectAll(&NotLeaderError{Leader: l.Leader})
			wait = idleWait
		default:
			wait = g.expire()
		}
		g.sleep(wait, changed)
	}
}

// mayFinish reports whether a closing group can still serve calls that wait.
func (g *Group) mayFinish(l consensus.Leadership) bool {
	_, calls := g.queue.wanted()
	return calls > 0 && l.Ready
}

func (g *Group) sleep(wait time.Duration, changed <-chan struct{}) {
	if wait <= 0 {
		return
	}
	g.alarm.Reset(wait)
	select {
	case <-g.queue.wake:
	case <-changed:
	case <-g.alarm.C:
	}
	g.alarm.Stop()
}

// workInTurn works unless leadership is being handed over; then it waits until that is done or leadership has changed.
func (g *Group) workInTurn(changed <-chan struct{}) time.Duration {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
		return g.work()
	default:
	}
	select {
	case g.turn <- struct{}{}:
		<-g.turn
	case <-changed:
	}
	return 0
}

// work proposes one entry if there is a reason to, and says how long there will be none.
func (g *Group) work() time.Duration {
	anybody, calls := g.queue.wanted()
	if calls == 0 {
		wait := g.nextChore()
		if anybody {
			wait = 0
		}
		if wait = max(wait, advancePace-time.Since(g.lastEntry)); wait > 0 {
			return wait
		}
	}
	if hold := g.rally.left(calls, time.Now()); hold > 0 && g.queue.gathers(g.cfg.Limits.EntryBytes) {
		return hold
	}
	b, ok := g.form()
	if !ok {
		return 0
	}
	g.lastEntry = time.Now()
	return g.propose(b)
}

// nextChore says when the leader has something to log by itself: keys are due, a limit has changed, memory is over it.
func (g *Group) nextChore() time.Duration {
	if want := g.limit.Load(); want != nil && *want != g.machine.Limits() {
		return 0
	}
	wait := idleWait
	if l := g.machine.Limits(); l.MaxMemory > 0 && l.Policy != entry.NoEviction && uint64(g.machine.Memory()) > l.MaxMemory {
		wait = time.Until(g.nextHunt)
	}
	if deadline, ok := g.machine.NextDue(); ok {
		// Compared as milliseconds: a deadline may be so far away that a Duration overflows, and looks past.
		wait = min(wait, time.Duration(min(deadline-g.clock.now(), idleWait.Milliseconds()))*time.Millisecond)
	}
	return wait
}

// form makes the next batch. It returns false if a call had to be refused instead.
func (g *Group) form() (*batch, bool) {
	g.lastBatch++
	b := &batch{id: g.lastBatch, now: g.clock.now()}
	g.gather(b, math.MaxInt)
	g.addPrefix(b)
	culprit, err := b.encode()
	switch {
	case culprit != nil:
		g.refuse(culprit, err)
		return nil, false
	case err != nil:
		g.cfg.Fatal(fmt.Errorf("group %d: %w", g.cfg.ID, err))
		return nil, false
	}
	b.advance = g.queue.takeAdvance()
	return b, true
}

func (g *Group) gather(b *batch, most int) {
	b.gather(g.queue.waiting(), g.cfg.Limits.EntryBytes, most)
}

// refuse ends a call with an op that cannot be logged.
func (g *Group) refuse(c *Call, why error) {
	g.queue.remove(c)
	g.reject(c, fmt.Errorf("%w: %w", ErrRefused, why))
}

// propose sees a batch to its end. It returns how long to wait before the next one.
func (g *Group) propose(b *batch) time.Duration {
	calls := b.calls()
	g.queue.drop(b.whole)
	g.setPending(b)
	started := time.Now()
	propose := g.replica.Propose
	if n := len(b.parts); n > 0 && n <= fewCalls {
		propose = g.replica.ProposeAhead
	}
	res, err := propose(b.data)
	applied := !g.takePending(b)
	switch {
	case applied:
		g.finish(b, started, g.replica.Applied())
		return 0
	case err == nil:
		g.cfg.Fatal(fmt.Errorf("group %d: entry %d was applied, but not as the batch that was proposed", g.cfg.ID, res.Index))
		return refusedPause
	case consensus.NotApplied(err):
		g.queue.putBack(calls)
		b.advance.finish(0, err)
		return refusedPause
	default:
		g.abandon(b, err)
		return refusedPause
	}
}

// finish notes a batch that was applied. Its calls were done by the applying goroutine, except one that goes on.
func (g *Group) finish(b *batch, started time.Time, index uint64) {
	if b.whole < len(b.parts) {
		last := b.parts[b.whole]
		last.call.placed = last.to
	}
	took := time.Since(started)
	g.stats.entry(b)
	if g.cfg.Entry != nil {
		g.cfg.Entry(took)
	}
	if b.whole > 0 {
		g.rally.begin(b.whole+b.behind, took)
	}
	b.advance.finish(index, nil)
}

// abandon ends a batch whose fate is not known. Should it be applied later, that happens without its calls.
func (g *Group) abandon(b *batch, why error) {
	g.stats.unknown.Add(1)
	g.cfg.Logger.Debug("proposal with unknown outcome", "error", why, "ops", b.ops())
	b.advance.finish(0, ErrUnknown)
	if b.whole < len(b.parts) {
		g.queue.drop(1)
	}
	fate := ErrUnknown
	if offOutcome {
		fate = ErrNoLeader
	}
	for _, p := range b.parts {
		p.call.fail(fate)
	}
}

// reject ends a call of which nothing is in flight. If a part of it was applied, that can no longer be told as a refusal.
func (g *Group) reject(c *Call, err error) {
	if c.placed > 0 {
		err = ErrUnknown
	}
	g.stats.rejected.Add(1)
	c.fail(err)
}

// rejectAll ends all calls that wait.
func (g *Group) rejectAll(err error) {
	g.queue.takeAdvance().finish(0, err)
	calls := append([]*Call(nil), g.queue.waiting()...)
	g.queue.drop(len(calls))
	for _, c := range calls {
		g.reject(c, err)
	}
}

// expire ends the calls that have waited for a leader for too long, and says when the next one will have.
func (g *Group) expire() time.Duration {
	g.queue.takeAdvance().finish(0, ErrNoLeader)
	for {
		calls := g.queue.waiting()
		if len(calls) == 0 {
			return idleWait
		}
		left := g.cfg.Limits.Park - time.Since(calls[0].since)
		if left > 0 {
			return left
		}
		c := calls[0]
		g.queue.drop(1)
		g.reject(c, ErrNoLeader)
	}
}
