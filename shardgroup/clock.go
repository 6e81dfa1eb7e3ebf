package shardgroup

import (
	"sync/atomic"
	"time"
)

// slew is the part of elapsed time by which the leader's clock follows the wall clock: 500 ppm, as NTP does. It makes up
// for a bad crystal, and a wall clock that jumps an hour takes 80 days to do harm.
const (
	slew       = 2000
	slewPeriod = 10 * time.Second
)

// clock is the leader's clock: within a term it advances by monotonic time from max(machine's clock, wall clock).
type clock struct {
	wall   func() int64
	anchor atomic.Pointer[anchor]
}

type anchor struct {
	term uint64
	at   time.Time
	now  int64
}

func (a *anchor) read(t time.Time) int64 { return a.now + t.Sub(a.at).Milliseconds() }

// lead starts a term's clock, or nudges it if the term has begun before.
func (c *clock) lead(term uint64, machine int64) {
	t := time.Now()
	a := c.anchor.Load()
	if a == nil || a.term != term {
		c.anchor.Store(&anchor{term, t, max(machine, c.wall())})
		return
	}
	if elapsed := t.Sub(a.at); elapsed >= slewPeriod {
		now, most := a.read(t), elapsed.Milliseconds()/slew
		c.anchor.Store(&anchor{term, t, now + min(max(c.wall()-now, -most), most)})
	}
}

// now is the leader's time, Unix ms; on a node that never led, the wall clock's.
func (c *clock) now() int64 { return c.at(time.Now()) }

// at is now as it was at t.
func (c *clock) at(t time.Time) int64 {
	if a := c.anchor.Load(); a != nil {
		return a.read(t)
	}
	return c.wall()
}
