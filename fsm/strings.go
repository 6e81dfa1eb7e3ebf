package fsm

import (
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/table"
)

// maxString is Redis's default proto-max-bulk-len: no string value is longer.
const maxString = 512 << 20

// findString looks up a key that must hold a string. If ok is false, the error has been answered.
func (c *call) findString(key []byte) (v table.Record, found, ok bool) {
	v, found = c.find(key)
	if found && kind(v.Kind) != kindString {
		c.w.Error(reply.WrongType)
		return v, found, false
	}
	return v, found, true
}

// answerString answers a string key's value, as GET does. It returns false if the reply is an error.
func (c *call) answerString(key []byte) (found, ok bool) {
	v, found, ok := c.findString(key)
	if !ok {
		return found, false
	}
	if found {
		c.w.Bulk(v.Value)
	} else {
		c.w.Null()
	}
	return found, true
}

func cmdGet(c *call) { c.answerString(c.args[0]) }

func cmdGetDel(c *call) {
	if found, ok := c.answerString(c.args[0]); found && ok {
		c.remove(c.args[0])
	}
}

func cmdGetSet(c *call) {
	if _, ok := c.answerString(c.args[0]); ok {
		c.put(c.args[0], c.args[1], 0)
	}
}

func cmdStrlen(c *call) {
	if v, _, ok := c.findString(c.args[0]); ok {
		c.w.Int(int64(len(v.Value)))
	}
}

func cmdMGet(c *call) {
	start := len(c.w.Buf)
	c.w.Array(len(c.args))
	for _, key := range c.args {
		switch v, found := c.find(key); {
		case c.w.Full(start):
			c.w.Error(reply.LeftOut)
		case found && kind(v.Kind) == kindString:
			c.w.Hits++
			c.w.Bulk(v.Value)
		default:
			c.w.Misses++
			c.w.Null()
		}
	}
}

func cmdMSet(c *call) {
	if c.pairs() {
		c.putPairs()
		c.w.OK()
	}
}

func cmdMSetNX(c *call) {
	if !c.pairs() {
		return
	}
	for i := 0; i < len(c.args); i += 2 {
		if c.exists(c.args[i]) {
			c.w.Int(0)
			return
		}
	}
	c.putPairs()
	c.w.Int(1)
}

func (c *call) pairs() bool {
	if len(c.args)%2 != 0 {
		c.w.WrongArity(c.name())
		return false
	}
	return true
}

func (c *call) putPairs() {
	for i := 0; i < len(c.args); i += 2 {
		c.put(c.args[i], c.args[i+1], 0)
	}
}

func cmdAppend(c *call) {
	v, found, ok := c.findString(c.args[0])
	tail := c.args[1]
	switch {
	case !ok:
	case !found:
		c.put(c.args[0], tail, 0)
		c.w.Int(int64(len(tail)))
	case len(v.Value)+len(tail) > maxString:
		c.w.Error(reply.StringTooLong)
	default:
		old := len(v.Value)
		c.splice(c.args[0], v, found, old+len(tail), old, tail)
		c.w.Int(int64(old + len(tail)))
	}
}

func cmdSetRange(c *call) {
	offset, ok := c.int(c.args[1])
	if !ok {
		return
	}
	if offset < 0 {
		c.w.Error(reply.OffsetOutOfRange)
		return
	}
	v, found, ok := c.findString(c.args[0])
	patch := c.args[2]
	switch {
	case !ok:
	case len(patch) == 0:
		c.w.Int(int64(len(v.Value)))
	case offset > maxString-int64(len(patch)):
		c.w.Error(reply.StringTooLong)
	default:
		size := max(len(v.Value), int(offset)+len(patch))
		c.splice(c.args[0], v, found, size, int(offset), patch)
		c.w.Int(int64(size))
	}
}

func cmdGetRange(c *call) {
	first, ok := c.int(c.args[1])
	if !ok {
		return
	}
	last, ok := c.int(c.args[2])
	if !ok {
		return
	}
	v, _, ok := c.findString(c.args[0])
	if !ok {
		return
	}
	from, to := clampRange(first, last, int64(len(v.Value)))
	c.w.Bulk(v.Value[from:to])
}

// clampRange turns GETRANGE's inclusive, possibly negative bounds into a half-open range within [0, n].
func clampRange(first, last, n int64) (from, to int64) {
	if n == 0 || first < 0 && last < 0 && first > last {
		return 0, 0
	}
	if first < 0 {
		first = max(first+n, 0)
	}
	if last < 0 {
		last = max(last+n, 0)
	}
	last = min(last, n-1)
	if first > last {
		return 0, 0
	}
	return first, last + 1
}
