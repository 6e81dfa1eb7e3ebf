package resp

import (
	"sync"

	"github.com/quorate/quorate/shardgroup"
)

// begin hands the run's calls to their groups without waiting. Reads whose group's gate is open are answered at once, in a loop
// together with those of other connections. False: some are not, and work must see to them; what was handed over is under way then all the same.
func (c *conn) begin() bool {
	r := c.run
	r.asked, r.blocking = true, false
	cfg := c.s.cfg.Load()
	handed := c.markHanded(0, cfg)
	rs, joined, open := c.reads(), 0, false
	for _, gc := range r.calls[:r.used] {
		switch {
		case gc.parked, gc.handed:
		case gc.follower && cfg.StaleReads:
			gc.read(true)
			gc.Answered = true
		case gc.follower || !gc.t.replica.Join(rs, &gc.Call):
			open = true
		default:
			joined += len(gc.Ops)
		}
	}
	switch {
	case c.loop == nil:
		rs.Answer()
		threadReads.Put(rs)
		open = r.unread()
	case joined > 0:
		c.loop.joined(c, joined)
		open = true
	}
	r.slow = open && (c.loop == nil || joined == 0)
	if open {
		r.pending.Store(handed + 1)
	} else {
		r.pending.Store(handed)
	}
	if handed > 0 {
		c.submit(0)
	}
	return !r.slow
}

// markHanded says which of the calls from index first on are handed to their groups, which call Done, and counts them: those with
// writes, and reads if each of them needs a confirmation.
func (c *conn) markHanded(first int, cfg *Config) (n int32) {
	for _, gc := range c.run.calls[first:c.run.used] {
		if gc.handed = !gc.parked && (gc.writes || cfg.QuorumReads && !gc.follower); gc.handed {
			n++
		}
	}
	return n
}

// reads are the reads that the run's join.
func (c *conn) reads() *shardgroup.Reads {
	if c.loop != nil {
		return &c.loop.reads
	}
	return threadReads.Get().(*shardgroup.Reads)
}

// threadReads are for connections without a loop.
var threadReads = sync.Pool{New: func() any { return new(shardgroup.Reads) }}

// unread reports whether some of the run's reads are not answered yet.
func (r *run) unread() bool {
	for _, gc := range r.calls[:r.used] {
		if !gc.handed && !gc.parked && !gc.Answered {
			return true
		}
	}
	return false
}

// submit hands the calls that markHanded has found, from index first on, to their groups, all at once.
func (c *conn) submit(first int) {
	r := c.run
	for _, gc := range r.calls[first:r.used] {
		if !gc.handed {
			continue
		}
		switch gc.Origin = c.origin(); {
		case c.loop != nil && !c.aside:
			c.loop.gather(gc)
		case gc.writes:
			gc.t.replica.Submit(gc.alone[:]...)
		default:
			gc.t.replica.SubmitReads(gc.alone[:]...)
		}
	}
}

// ask sends the calls from index first on to their groups and waits for all replies. Reads that are not handed over are answered on
// this goroutine meanwhile.
func (c *conn) ask(first int) {
	r := c.run
	r.blocking = true
	if handed := c.markHanded(first, c.s.cfg.Load()); handed > 0 {
		r.pending.Store(handed)
		c.submit(first)
	}
	c.askReads(first)
	r.await()
}

// askReads answers the calls of reads that were not answered yet. It waits for whatever that takes.
func (c *conn) askReads(first int) {
	cfg := c.s.cfg.Load()
	var others []*groupCall
	var own *groupCall
	for _, gc := range c.run.calls[first:c.run.used] {
		switch {
		case gc.handed || gc.parked || gc.Answered:
		case own == nil:
			own = gc
		case gc.follower:
			others = append(others, gc)
		default:
			gc.read(cfg.StaleReads)
		}
	}
	if own == nil {
		return
	}
	if len(others) == 0 {
		own.read(cfg.StaleReads)
		return
	}
	done := make(chan struct{}, len(others))
	for _, gc := range others {
		go func() {
			gc.read(cfg.StaleReads)
			done <- struct{}{}
		}()
	}
	own.read(cfg.StaleReads)
	for range others {
		<-done
	}
}

func (gc *groupCall) read(stale bool) {
	if gc.follower {
		gc.t.replica.ReadFollower(&gc.Call, stale)
		return
	}
	gc.t.replica.Read(&gc.Call)
}
