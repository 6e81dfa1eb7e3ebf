package fsm

import (
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/table"
)

// embstrMax is the longest string that Redis keeps in one block with its header.
const embstrMax = 44

// encodingOf names the encoding that Redis would give the value if it were SET now. (Redis says raw of a short string
// that APPEND or SETRANGE has made; how a value came to be is not part of the state here.)
func encodingOf(r table.Record) string {
	if _, ok := parseInt(r.Value); ok {
		return "int"
	}
	if len(r.Value) <= embstrMax {
		return "embstr"
	}
	return "raw"
}

// inspect answers null if there is no such key, and does not touch it: looking is not using.
func (c *call) inspect(show func(r table.Record)) {
	if r, ok := c.lookup(c.args[0]); ok {
		show(r)
	} else {
		c.w.Null()
	}
}

func cmdObjectEncoding(c *call) {
	c.inspect(func(r table.Record) { c.w.BulkString(encodingOf(r)) })
}

// cmdObjectRefcount answers 1: values are not shared.
func cmdObjectRefcount(c *call) {
	c.inspect(func(table.Record) { c.w.Int(1) })
}

func cmdObjectFreq(c *call) {
	c.inspect(func(r table.Record) {
		if !frequency(c.st.limits().Policy) {
			c.w.Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. " + policySwitch)
			return
		}
		c.w.Int(int64(lfuCount(r.Access, c.display())))
	})
}

func cmdObjectIdletime(c *call) {
	c.inspect(func(r table.Record) {
		if frequency(c.st.limits().Policy) {
			c.w.Error("ERR An LFU maxmemory policy is selected, idle time not tracked. " + policySwitch)
			return
		}
		c.w.Int(idleMillis(r.Access, c.display()) / 1000)
	})
}

const policySwitch = "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

// cmdMemoryUsage answers what the key counts towards the limit. SAMPLES is checked and has no effect: sizes are exact.
func cmdMemoryUsage(c *call) {
	for i := 1; i < len(c.args); i += 2 {
		if !is(c.args[i], "SAMPLES") || i+1 == len(c.args) {
			c.w.Error(reply.SyntaxError)
			return
		}
		n, ok := c.int(c.args[i+1])
		if !ok {
			return
		}
		if n < 0 {
			c.w.Error(reply.SyntaxError)
			return
		}
	}
	c.inspect(func(r table.Record) { c.w.Int(sizeOf(r)) })
}

// sizeOf is what a record counts in table.Bytes.
func sizeOf(r table.Record) int64 {
	n := int64(len(r.Key)) + int64(len(r.Value)) + table.Overhead
	if r.Deadline != 0 {
		n += table.DeadlineOverhead
	}
	return n
}
