package fsm

import (
	"bytes"
	"sync/atomic"

	"github.com/quorate/quorate/fsm/reply"
)

// maxLCSMemory bounds what readers' LCS take at one moment, in all machines of the process: one of them takes 16 MiB for strings
// of 11 KB, and 128 MiB at most. Nobody waits for others to end, since that would hold up whoever reads on the same goroutine.
const maxLCSMemory = 256 << 20

// lcsMemory is what they take.
var lcsMemory atomic.Int64

// lcsOptions are the options of LCS.
type lcsOptions struct {
	length, idx, withMatchLen bool
	minMatch                  int64
}

// lcsOptions reads them. If ok is false, the error has been answered.
func (c *call) lcsOptions(args [][]byte) (o lcsOptions, ok bool) {
	for i := 0; i < len(args); i++ {
		name := upper(args[i])
		switch opt := string(name.bytes()); {
		case opt == "IDX":
			o.idx = true
		case opt == "LEN":
			o.length = true
		case opt == "WITHMATCHLEN":
			o.withMatchLen = true
		case opt == "MINMATCHLEN" && i+1 < len(args):
			i++
			if o.minMatch, ok = c.int(args[i]); !ok {
				return o, false
			}
		default:
			c.w.Error(reply.SyntaxError)
			return o, false
		}
	}
	if o.idx && o.length {
		c.w.Error("ERR If you want both the length and indexes, please just use IDX.")
		return o, false
	}
	return o, true
}

func cmdLCS(c *call) {
	a, foundA := c.find(c.args[0])
	b, foundB := c.find(c.args[1])
	if foundA && kind(a.Kind) != kindString || foundB && kind(b.Kind) != kindString {
		c.w.Error("ERR The specified keys must contain string values")
		return
	}
	o, ok := c.lcsOptions(c.args[2:])
	if !ok {
		return
	}
	if !fitsLCS(len(a.Value), len(b.Value)) {
		c.w.Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
		return
	}
	switch {
	case c.w.Discard: // of a transaction in the log
	case c.applying(): // there is one such goroutine per group, and it must answer
		c.answerLCS(a.Value, b.Value, o)
	default:
		c.readLCS(a.Value, b.Value, o)
	}
}

// readLCS answers a reader, without the slot's lock if it can: writers would wait for it.
func (c *call) readLCS(a, b []byte, o lcsOptions) {
	size := lcsBytes(len(a), len(b), !o.length)
	if lcsMemory.Add(size) > maxLCSMemory {
		lcsMemory.Add(-size)
		c.w.Error("ERR Insufficient memory, transient memory for LCS is taken by other clients, try again")
		return
	}
	if c.tx != nil {
		c.answerLCS(a, b, o)
		lcsMemory.Add(-size)
		return
	}
	a, b = bytes.Clone(a), bytes.Clone(b)
	c.unlocked = func() {
		c.answerLCS(a, b, o)
		lcsMemory.Add(-size)
	}
}

func (c *call) answerLCS(a, b []byte, o lcsOptions) {
	t := newLCSTable(a, b, !o.length)
	if o.length {
		c.w.Int(int64(t.length()))
		return
	}
	common, runs := t.walk()
	if o.idx {
		c.answerRuns(runs, len(common), o)
		return
	}
	c.w.Bulk(common)
}

// answerRuns answers LCS IDX: runs of at least minMatch bytes, the last first.
func (c *call) answerRuns(runs []lcsMatch, common int, o lcsOptions) {
	shown := runs[:0]
	for _, r := range runs {
		if int64(r.len()) >= o.minMatch {
			shown = append(shown, r)
		}
	}
	c.w.Map(2)
	c.w.BulkString("matches")
	c.w.Array(len(shown))
	for _, r := range shown {
		if o.withMatchLen {
			c.w.Array(3)
		} else {
			c.w.Array(2)
		}
		c.answerBounds(r.aFirst, r.aLast)
		c.answerBounds(r.bFirst, r.bLast)
		if o.withMatchLen {
			c.w.Int(int64(r.len()))
		}
	}
	c.w.BulkString("len")
	c.w.Int(int64(common))
}

func (c *call) answerBounds(first, last int) {
	c.w.Array(2)
	c.w.Int(int64(first))
	c.w.Int(int64(last))
}
