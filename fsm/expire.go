package fsm

import (
	"fmt"
	"math"
)

// expireRule is the condition of EXPIRE and its like.
type expireRule struct{ nx, xx, gt, lt bool }

// allows reports whether the rule lets a deadline replace the present one (0: none, which counts as never).
func (r expireRule) allows(present, next int64) bool {
	switch {
	case r.nx && present != 0,
		r.xx && present == 0,
		r.gt && (present == 0 || next <= present),
		r.lt && present != 0 && next >= present:
		return false
	}
	return true
}

// expireRule reads the options of EXPIRE. If ok is false, the error has been answered.
func (c *call) expireRule(args [][]byte) (r expireRule, ok bool) {
	for _, arg := range args {
		name := upper(arg)
		switch string(name.bytes()) {
		case "NX":
			r.nx = true
		case "XX":
			r.xx = true
		case "GT":
			r.gt = true
		case "LT":
			r.lt = true
		default:
			c.w.Error(fmt.Sprintf("ERR Unsupported option %s", arg))
			return r, false
		}
	}
	if r.nx && (r.xx || r.gt || r.lt) {
		c.w.Error("ERR NX and XX, GT or LT options at the same time are not compatible")
		return r, false
	}
	if r.gt && r.lt {
		c.w.Error("ERR GT and LT options at the same time are not compatible")
		return r, false
	}
	return r, true
}

func cmdExpire(c *call)    { c.expire(seconds) }
func cmdPExpire(c *call)   { c.expire(millis) }
func cmdExpireAt(c *call)  { c.expire(secondsAt) }
func cmdPExpireAt(c *call) { c.expire(millisAt) }

func (c *call) expire(unit expireUnit) {
	rule, ok := c.expireRule(c.args[2:])
	if !ok {
		return
	}
	at, ok := c.anyDeadline(c.args[1], unit)
	if !ok {
		return
	}
	v, found := c.find(c.args[0])
	if !found || !rule.allows(v.Deadline, at) {
		c.w.Int(0)
		return
	}
	c.expireAt(c.args[0], at)
	c.w.Int(1)
}

// anyDeadline is deadline, but allows the past: EXPIRE with a negative time deletes.
func (c *call) anyDeadline(arg []byte, unit expireUnit) (at int64, ok bool) {
	n, ok := c.int(arg)
	if !ok {
		return 0, false
	}
	base, scale := c.unit(unit)
	if n > math.MaxInt64/scale || n < math.MinInt64/scale || n*scale > math.MaxInt64-base {
		c.w.InvalidExpire(c.name())
		return 0, false
	}
	return n*scale + base, true
}

// expireAt gives an existing key a deadline, or removes it if the deadline has passed.
func (c *call) expireAt(key []byte, at int64) {
	if at <= c.now {
		c.remove(key)
		return
	}
	c.setDeadline(key, at)
}

func cmdPersist(c *call) {
	if v, found := c.find(c.args[0]); found && v.Deadline != 0 {
		c.setDeadline(c.args[0], 0)
		c.w.Int(1)
		return
	}
	c.w.Int(0)
}

// What is left is shown by the later clock: in an idle group the machine's stands still until something is due. It shows
// and decides nothing: whether the key has expired is the machine's to say.
func cmdTTL(c *call)  { c.ttl(func(at int64) int64 { return roundSeconds(c.left(at)) }) }
func cmdPTTL(c *call) { c.ttl(c.left) }

// left is what is left until at. A follower keeps a key until the log says that it has expired, whatever its own clock says.
func (c *call) left(at int64) int64 { return max(at-c.display(), 0) }

func cmdExpireTime(c *call)  { c.ttl(roundSeconds) }
func cmdPExpireTime(c *call) { c.ttl(func(at int64) int64 { return at }) }

// roundSeconds rounds ms half up; unsigned, as a deadline may be the highest int64.
func roundSeconds(ms int64) int64 { return int64((uint64(ms) + 500) / 1000) }

// ttl answers -2 for no key, -1 for no deadline, else what show makes of the deadline.
func (c *call) ttl(show func(at int64) int64) {
	v, found := c.lookup(c.args[0])
	switch {
	case !found:
		c.w.Int(-2)
	case v.Deadline == 0:
		c.w.Int(-1)
	default:
		c.w.Int(show(v.Deadline))
	}
}
