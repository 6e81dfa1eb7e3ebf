package fsm

import (
	"math"
	"math/big"

	"github.com/quorate/quorate/fsm/reply"
)

func cmdIncr(c *call) { c.add(1) }
func cmdDecr(c *call) { c.add(-1) }

func cmdIncrBy(c *call) {
	if n, ok := c.int(c.args[1]); ok {
		c.add(n)
	}
}

func cmdDecrBy(c *call) {
	n, ok := c.int(c.args[1])
	switch {
	case !ok:
	case n == math.MinInt64:
		c.w.Error(reply.DecrOverflow)
	default:
		c.add(-n)
	}
}

// add adds to a key's integer, which counts as 0 if there is no key, and keeps its time to live.
func (c *call) add(n int64) {
	v, found, ok := c.findString(c.args[0])
	if !ok {
		return
	}
	var old int64
	if found {
		if old, ok = parseInt(v.Value); !ok {
			c.w.Error(reply.NotInteger)
			return
		}
	}
	if n < 0 && old < math.MinInt64-n || n > 0 && old > math.MaxInt64-n {
		c.w.Error(reply.Overflow)
		return
	}
	c.scratch = appendInt(c.scratch[:0], old+n)
	c.put(c.args[0], c.scratch, v.Deadline)
	c.w.Int(old + n)
}

func cmdIncrByFloat(c *call) {
	v, found, ok := c.findString(c.args[0])
	if !ok {
		return
	}
	sum := new(big.Float).SetPrec(floatMantissa)
	if found {
		if sum, ok = parseFloat(v.Value); !ok {
			c.w.Error(reply.NotFloat)
			return
		}
	}
	n, ok := parseFloat(c.args[1])
	if !ok {
		c.w.Error(reply.NotFloat)
		return
	}
	// Infinities are refused before the addition: big.Float panics on Inf-Inf.
	if sum.IsInf() || n.IsInf() || !inFloatRange(sum.Add(sum, n)) {
		c.w.Error(reply.NaNOrInfinity)
		return
	}
	c.scratch = appendFloat(c.scratch[:0], sum)
	c.put(c.args[0], c.scratch, v.Deadline)
	c.w.Bulk(c.scratch)
}
