package fsm

import (
	"math"

	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/table"
)

// setOptions are the options of SET and GETEX.
type setOptions struct {
	nx, xx, get, keepTTL, persist bool
	// unit says which of EX, PX, EXAT, PXAT gave expire; noExpire if none did.
	unit   expireUnit
	expire []byte
}

// expireUnit is what an expire argument counts, and from when.
type expireUnit uint8

const (
	noExpire expireUnit = iota
	seconds
	millis
	secondsAt
	millisAt
)

func (u expireUnit) inSeconds() bool { return u == seconds || u == secondsAt }
func (u expireUnit) relative() bool  { return u == seconds || u == millis }

var expireUnits = map[string]expireUnit{"EX": seconds, "PX": millis, "EXAT": secondsAt, "PXAT": millisAt}

// setOnly and getexOnly are the options that the other command does not have.
const (
	setOnly   = true
	getexOnly = false
)

// parseSetOptions reads SET's options (forSet) or GETEX's. Like Redis it lets an option repeat, but not contradict.
func parseSetOptions(args [][]byte, forSet bool) (o setOptions, ok bool) {
	for i := 0; i < len(args); i++ {
		name := upper(args[i])
		unit, timed := expireUnits[string(name.bytes())]
		switch {
		case timed:
			if i+1 == len(args) || o.keepTTL || o.persist || o.unit != noExpire && o.unit != unit {
				return o, false
			}
			i++
			o.unit, o.expire = unit, args[i]
		case !o.flag(string(name.bytes()), forSet):
			return o, false
		}
	}
	return o, true
}

// flag sets an option without a value; false if it does not exist or contradicts an earlier one.
func (o *setOptions) flag(name string, forSet bool) bool {
	switch {
	case name == "NX" && forSet && !o.xx:
		o.nx = true
	case name == "XX" && forSet && !o.nx:
		o.xx = true
	case name == "GET" && forSet:
		o.get = true
	case name == "KEEPTTL" && forSet && o.unit == noExpire:
		o.keepTTL = true
	case name == "PERSIST" && !forSet && o.unit == noExpire:
		o.persist = true
	default:
		return false
	}
	return true
}

// deadline turns an expire argument into Unix ms. If ok is false, the error has been answered.
func (c *call) deadline(arg []byte, unit expireUnit) (at int64, ok bool) {
	n, ok := c.int(arg)
	if !ok {
		return 0, false
	}
	base, scale := c.unit(unit)
	if n <= 0 || n > math.MaxInt64/scale || n*scale > math.MaxInt64-base {
		c.w.InvalidExpire(c.name())
		return 0, false
	}
	return base + n*scale, true
}

// unit is what a count of u is relative to, and how many ms each is.
func (c *call) unit(u expireUnit) (base, scale int64) {
	scale = 1
	if u.relative() {
		base = c.now
	}
	if u.inSeconds() {
		scale = 1000
	}
	return base, scale
}

func cmdSet(c *call) {
	o, ok := parseSetOptions(c.args[2:], setOnly)
	if !ok {
		c.w.Error(reply.SyntaxError)
		return
	}
	var at int64
	if o.unit != noExpire {
		if at, ok = c.deadline(o.expire, o.unit); !ok {
			return
		}
	}
	c.set(c.args[0], c.args[1], at, o)
}

func (c *call) set(key, val []byte, at int64, o setOptions) {
	var v table.Record
	found := false
	if o.get {
		var ok bool
		if v, found, ok = c.findString(key); !ok {
			return
		}
		if found {
			c.w.Bulk(v.Value)
		} else {
			c.w.Null()
		}
	} else if o.nx || o.xx || o.keepTTL {
		v, found = c.find(key)
	}
	if o.nx && found || o.xx && !found {
		if !o.get {
			c.w.Null()
		}
		return
	}
	if o.keepTTL {
		at = v.Deadline
	}
	c.putUntil(key, val, at)
	if !o.get {
		c.w.OK()
	}
}

// putUntil stores a string with a deadline (0: none). With one that has passed, the key is gone at once.
func (c *call) putUntil(key, val []byte, at int64) {
	if at != 0 && at <= c.now {
		c.remove(key)
		return
	}
	c.put(key, val, at)
}

func cmdSetNX(c *call) {
	if c.exists(c.args[0]) {
		c.w.Int(0)
		return
	}
	c.put(c.args[0], c.args[1], 0)
	c.w.Int(1)
}

func cmdSetEX(c *call)  { c.setFor(seconds) }
func cmdPSetEX(c *call) { c.setFor(millis) }

func (c *call) setFor(unit expireUnit) {
	if at, ok := c.deadline(c.args[1], unit); ok {
		c.putUntil(c.args[0], c.args[2], at)
		c.w.OK()
	}
}

func cmdGetEX(c *call) {
	o, ok := parseSetOptions(c.args[1:], getexOnly)
	if !ok {
		c.w.Error(reply.SyntaxError)
		return
	}
	v, found, ok := c.findString(c.args[0])
	if !ok {
		return
	}
	if !found {
		c.w.Null()
		return
	}
	var at int64
	if o.unit != noExpire {
		if at, ok = c.deadline(o.expire, o.unit); !ok {
			return
		}
	}
	c.w.Bulk(v.Value)
	switch {
	case o.unit != noExpire:
		c.expireAt(c.args[0], at)
	case o.persist && v.Deadline != 0:
		c.setDeadline(c.args[0], 0)
	}
}
