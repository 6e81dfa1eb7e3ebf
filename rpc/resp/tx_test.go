package resp

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm/command"
)

// TestEmptyArgumentsTakeRoomToo: what MULTI queues is bounded though the arguments have no bytes.
func TestEmptyArgumentsTakeRoomToo(t *testing.T) {
	w := newWorld(t, 1, func(c *Config) { c.QueryBufferLimit = 1 << 20 })
	c := w.dial(t)
	c.expect("+OK\r\n", "MULTI")
	if got := c.do(append([]string{"DEL"}, make([]string, 1<<16)...)...); !strings.HasPrefix(got, "-ERR transaction too large") {
		t.Errorf("65536 empty arguments: got %q", got)
	}
}

// TestTransactionsOfLongReplies: what a transaction's commands would answer beyond the limit is not made.
func TestTransactionsOfLongReplies(t *testing.T) {
	c := newWorld(t, 1).undriven(t)
	docs := queued{spec: command.ByID(command.CommandDocs)}
	c.execLocal([]queued{docs}, nil)
	one := len(c.w().Buf)
	c.run.clear()
	many := make([]queued, 2*maxOwnReplies/one)
	for i := range many {
		many[i] = docs
	}
	c.execLocal(many, nil)
	if n := len(c.w().Buf); n > maxOwnReplies+2*one {
		t.Errorf("%d MB of replies", n>>20)
	}
	if !strings.HasSuffix(string(c.w().Buf[len(c.w().Buf)-100:]), "-ERR not executed: the replies of this transaction are too large\r\n") {
		t.Errorf("the last command is answered %q", c.w().Buf[len(c.w().Buf)-100:])
	}
}

// TestWatchingAgainTakesNoRoom: who watches a key again and again, and executes nothing, is not refused for that.
func TestWatchingAgainTakesNoRoom(t *testing.T) {
	c := newWorld(t, 1, func(c *Config) { c.QueryBufferLimit = 1 << 20 }).dial(t)
	for range 1 << 20 / queuedOverhead {
		c.expect("+OK\r\n", "WATCH", "a")
	}
	c.expect("+OK\r\n", "MULTI")
	c.expect("+QUEUED\r\n", "GET", "a")
	c.expect("*1\r\n$-1\r\n", "EXEC")
}

// TestWatchesOfOneKey: of two watches of a key the first one counts.
func TestWatchesOfOneKey(t *testing.T) {
	w := newRealWorld(t)
	a, b := w.dial(t), w.dial(t)
	a.expect("+OK\r\n", "WATCH", "a")
	b.expect("+OK\r\n", "SET", "a", "1")
	a.expect("+OK\r\n", "WATCH", "a")
	a.expect("+OK\r\n", "MULTI")
	a.expect("+QUEUED\r\n", "SET", "a", "2")
	a.expect("*-1\r\n", "EXEC")
}

// TestRepliesHaveALimit, whichever call they are for, also when its memory is used again.
func TestRepliesHaveALimit(t *testing.T) {
	c := newWorld(t, 1).undriven(t)
	for range 2 {
		if gc := c.run.newCall(&target{}, 2, false); gc.Out.Limit != maxReply {
			t.Errorf("a reply may have %d bytes", gc.Out.Limit)
		}
		c.run.clear()
	}
}
