package fsm

import (
	"bytes"
	"fmt"
	"math"

	"github.com/quorate/quorate/fsm/reply"
)

func cmdDel(c *call) {
	n := int64(0)
	for _, key := range c.args {
		if c.remove(key) {
			n++
		}
	}
	c.w.Int(n)
}

// cmdExists does not count as a use of the keys, as in Redis.
func cmdExists(c *call) {
	n := int64(0)
	for _, key := range c.args {
		if _, found := c.lookup(key); found {
			n++
		}
	}
	c.w.Int(n)
}

// cmdTouch counts keys as EXISTS does, but finding one touches it.
func cmdTouch(c *call) {
	n := int64(0)
	for _, key := range c.args {
		if _, found := c.find(key); found {
			n++
		}
	}
	c.w.Int(n)
}

func cmdType(c *call) {
	if v, found := c.lookup(c.args[0]); found {
		c.w.Simple(kind(v.Kind).String())
	} else {
		c.w.Simple("none")
	}
}

func cmdRename(c *call) {
	if moved, ok := c.rename(false); ok && moved {
		c.w.OK()
	}
}

func cmdRenameNX(c *call) {
	moved, ok := c.rename(true)
	switch {
	case !ok:
	case moved:
		c.w.Int(1)
	default:
		c.w.Int(0)
	}
}

// rename moves args[0] to args[1] with its deadline. If ok is false, the error has been answered. A key renamed to
// itself stays as it is; RENAME says that it moved, RENAMENX that its target exists.
func (c *call) rename(nx bool) (moved, ok bool) {
	from, to := c.args[0], c.args[1]
	v, found := c.find(from)
	if !found {
		c.w.Error(reply.NoSuchKey)
		return false, false
	}
	if bytes.Equal(from, to) {
		return !nx, true
	}
	if nx && c.exists(to) {
		return false, true
	}
	v.Key = to
	c.putRecord(v)
	c.remove(from)
	return true, true
}

func cmdCopy(c *call) {
	replace, ok := c.copyOptions()
	if !ok {
		return
	}
	from, to := c.args[0], c.args[1]
	if bytes.Equal(from, to) {
		c.w.Error(reply.SameObject)
		return
	}
	v, found := c.find(from)
	if !found || !replace && c.exists(to) {
		c.w.Int(0)
		return
	}
	v.Key = to
	c.putRecord(v)
	c.w.Int(1)
}

// databases is how many Redis has by default; a cluster uses only the first, but COPY tells the two errors apart.
const databases = 16

func (c *call) copyOptions() (replace, ok bool) {
	db := int64(0)
	for i := 2; i < len(c.args); i++ {
		switch {
		case is(c.args[i], "REPLACE"):
			replace = true
		case is(c.args[i], "DB") && i+1 < len(c.args):
			i++
			if db, ok = c.int(c.args[i]); !ok {
				return false, false
			}
			if db < math.MinInt32 || db > math.MaxInt32 {
				c.w.Error(fmt.Sprintf("ERR value is out of range, value must between %d and %d", math.MinInt32, math.MaxInt32))
				return false, false
			}
			if db < 0 || db >= databases {
				c.w.Error(reply.SelectRange)
				return false, false
			}
		default:
			c.w.Error(reply.SyntaxError)
			return false, false
		}
	}
	if db != 0 {
		c.w.Error("ERR Copying to another database is not allowed in cluster mode")
		return false, false
	}
	return replace, true
}
