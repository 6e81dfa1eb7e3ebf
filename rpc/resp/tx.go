package resp

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// tx is a connection's MULTI and WATCH state.
type tx struct {
	open bool
	// spoiled: a command could not be queued, EXEC will abort.
	spoiled bool
	queue   []queued
	watches []entry.Watch
	// bytes is what queue and watches hold, roughly.
	bytes int64
	// gathered: EXEC was passed on to a group, which will reply.
	gathered bool
}

// queued is one command between MULTI and EXEC; args are copies, because they outlive the read buffer.
type queued struct {
	spec *command.Spec
	args [][]byte
}

func (t *tx) spoil() {
	if t.open {
		t.spoiled = true
	}
}

// mixed reports whether commands of the connection itself are among those queued.
func (t *tx) mixed() bool {
	for i := range t.queue {
		if t.queue[i].spec.Home != command.Keyed {
			return true
		}
	}
	return false
}

// watching reports whether a key is watched already. A client may watch again and again without ever executing anything.
func (t *tx) watching(key []byte) bool {
	return slices.ContainsFunc(t.watches, func(w entry.Watch) bool { return bytes.Equal(w.Key, key) })
}

// end forgets the queue and the watches.
func (t *tx) end() { *t = tx{} }

// maxQueued bounds the commands and the watched keys of one transaction: they are one log entry.
const maxQueued = 1 << 16

// What queue and watches hold of a command, and of an argument, beside the argument's bytes, roughly: their places in lists that grow by
// doubling, and what allocations are rounded up by.
const (
	queuedOverhead = 128
	argOverhead    = 32
)

// notQueued have no reply, or several, and so no place in EXEC's array.
var notQueued = map[command.ID]bool{command.Subscribe: true, command.Unsubscribe: true, command.ClientReply: true}

// hold counts bytes that the transaction will keep. If they are too many the error has been answered.
func (c *conn) hold(args [][]byte) bool {
	c.tx.bytes += queuedOverhead
	for _, a := range args {
		c.tx.bytes += int64(len(a)) + argOverhead
	}
	limit := min(c.s.cfg.Load().QueryBufferLimit, entry.MaxOp) // in an entry they take less
	if c.tx.bytes > limit || len(c.tx.queue)+len(c.tx.watches) >= maxQueued {
		c.w().Error("ERR transaction too large: at most " + strconv.Itoa(maxQueued) + " commands and watched keys of " + strconv.FormatInt(limit, 10) + " bytes together")
		return false
	}
	return true
}

func cmdMulti(c *conn, _ [][]byte) {
	if c.tx.open {
		c.w().Error(reply.NestedMulti)
		return
	}
	c.tx.open = true
	c.w().OK()
}

func cmdDiscard(c *conn, _ [][]byte) {
	if !c.tx.open {
		c.w().Error(reply.DiscardNoMulti)
		return
	}
	c.tx.end()
	c.w().OK()
}

func cmdUnwatch(c *conn, _ [][]byte) {
	c.tx.watches, c.tx.bytes = nil, 0
	c.w().OK()
}

// queue keeps a command for EXEC. A command that another node must run spoils the transaction and gets its MOVED, so
// that the client repeats all of it there.
func (c *conn) queue(spec *command.Spec, args [][]byte) {
	switch {
	case spec.Home == command.Node:
		c.refuse(spec, "ERR "+spec.Name+" is not allowed in a transaction: it concerns several groups, which cannot act as one step")
		return
	case notQueued[spec.ID]:
		c.refuse(spec, "ERR Command not allowed inside a transaction")
		return
	case c.overlong(spec, args):
		c.refuse(spec, reply.StringTooLong)
		return
	case !c.hold(args):
		c.refused(spec)
		return
	}
	if spec.Home == command.Keyed {
		n, routing := command.SlotOf(spec, args)
		if routing == command.CrossSlot {
			c.refuse(spec, reply.CrossSlot)
			return
		}
		if _, _, ok := c.route(spec, n, false); !ok {
			return
		}
	}
	c.tx.queue = append(c.tx.queue, queued{spec, clone(args)})
	c.queued.Store(int32(len(c.tx.queue)))
	c.w().Simple("QUEUED")
	c.run.answered(nil, c.mute())
}

func clone(args [][]byte) [][]byte {
	out := make([][]byte, len(args))
	for i, a := range args {
		out[i] = bytes.Clone(a)
	}
	return out
}

// cmdExec sends the queue to its group as one op. The group replies, except where nothing is to be asked. A transaction
// with connection commands is not gathered with others: its parts are joined here.
func cmdExec(c *conn, _ [][]byte) {
	if !c.tx.open {
		c.w().Error(reply.ExecNoMulti)
		return
	}
	t := c.tx
	c.tx.end()
	if t.spoiled {
		c.w().Error(reply.ExecAborted)
		return
	}
	n, keyed, ok := t.slot()
	switch {
	case !ok:
		c.w().Error(reply.CrossSlot)
	case !keyed:
		c.execLocal(t.queue, nil)
	default:
		c.execKeyed(n, t)
	}
}

// slot returns the slot that the transaction's keys are in; keyed is false if it has none, ok if they are in several.
// Redis lets watched keys be in other slots of the node. Here they must be in the transaction's, since it is compared
// and executed as one step of one slot.
func (t *tx) slot() (n uint16, keyed, ok bool) {
	fits := func(at uint16) bool {
		first := !keyed
		if first {
			n, keyed = at, true
		}
		return at == n
	}
	for i := range t.queue {
		if q := &t.queue[i]; q.spec.Home == command.Keyed {
			if at, _ := command.SlotOf(q.spec, q.args); !fits(at) {
				return 0, true, false
			}
		}
	}
	for _, w := range t.watches {
		if !fits(slot.Of(w.Key)) {
			return 0, true, false
		}
	}
	return n, keyed, true
}

// execKeyed gathers the transaction for its group. If connection commands are among the queue (PING, CLIENT ID), their
// replies are put in their places afterwards.
func (c *conn) execKeyed(n uint16, t tx) {
	spec := command.ByID(command.Exec)
	op := entry.Op{Cmd: command.Exec, Tx: &entry.Tx{Watches: t.watches}}
	for i := range t.queue {
		if q := &t.queue[i]; q.spec.Home == command.Keyed {
			op.Tx.Ops = append(op.Tx.Ops, c.op(q.spec, q.args))
			if c.track.on {
				c.trackReads(q.spec, q.args)
			}
		}
	}
	target, ok := c.routeExec(n)
	if !ok {
		return
	}
	mixed := len(op.Tx.Ops) < len(t.queue)
	if mixed {
		c.execute()
		c.run.routes = c.s.routes.Load()
	}
	c.run.gather(placed{spec: spec, slot: n, mute: c.mute()}, target, op, c.proto, false)
	if !mixed {
		c.tx.gathered = true
		return
	}
	if group := c.collect()[0]; len(group) > 0 && group[0] == '*' && !bytes.HasPrefix(group, []byte("*-1")) {
		c.execLocal(t.queue, group)
	} else {
		// A broken WATCH, or an error of the whole transaction.
		c.relay(group)
	}
}

// routeExec is route for EXEC, whose MOVED reply ends the transaction like an abort.
func (c *conn) routeExec(n uint16) (t *target, ok bool) {
	if c.run.routes == nil {
		c.run.routes = c.s.routes.Load()
	}
	t = c.run.routes.at(n)
	if addr := c.movedTo(t); addr != "" {
		c.learnTopology()
		c.w().Moved(n, addr)
		return nil, false
	}
	return t, true
}

// collect executes what was gathered, which is all that the run holds, and returns the replies instead of sending them.
func (c *conn) collect() [][]byte {
	r := c.run
	c.ask(0)
	if !r.clean() {
		c.settle()
	}
	replies := make([][]byte, len(r.cmds))
	for i := range replies {
		replies[i] = bytes.Clone(r.replyOf(&r.cmds[i]))
	}
	r.clearCalls()
	return replies
}

// maxOwnReplies bounds what the connection's own commands of one transaction answer. A short command may have a long reply: 65536 times
// COMMAND DOCS would make gigabytes.
const maxOwnReplies = 16 << 20

// execLocal writes the array of EXEC's replies: the connection's own commands are executed now, the replies of the
// others are taken, in order, from group, which is an array.
func (c *conn) execLocal(queue []queued, group []byte) {
	if i := bytes.IndexByte(group, '\n'); i >= 0 {
		group = group[i+1:]
	}
	w, own := c.w(), 0
	w.Array(len(queue))
	for i := range queue {
		switch q, before := &queue[i], len(w.Buf); {
		case q.spec.Home == command.Keyed:
			n := replyLen(group)
			w.Buf = append(w.Buf, group[:n]...)
			group = group[n:]
		case own > maxOwnReplies:
			w.Error("ERR not executed: the replies of this transaction are too large")
		default:
			handlers[q.spec.ID](c, q.args)
			own += len(w.Buf) - before
		}
	}
}

// cmdWatch remembers the versions of keys. The versions come from the group through the read gate: the machine answers
// WATCH with an array of them.
func cmdWatch(c *conn, args [][]byte) {
	if c.tx.open {
		c.w().Error(reply.WatchInMulti)
		return
	}
	spec := command.ByID(command.Watch)
	if _, routing := command.SlotOf(spec, args); routing == command.CrossSlot {
		c.w().Error(reply.CrossSlot)
		return
	}
	for _, key := range args {
		if c.tx.watching(key) {
			continue // what it was when it was watched first counts
		}
		if !c.hold([][]byte{key}) {
			return
		}
		op := entry.Op{Cmd: command.Watch, Args: [][]byte{key}}
		n := slot.Of(key)
		target, ok := c.routeExec(n)
		if !ok {
			return
		}
		c.run.gather(placed{spec: spec, slot: n}, target, op, c.proto, false)
		got := c.collect()[0]
		version, ok := watchVersion(got)
		if !ok {
			c.relay(got)
			return
		}
		c.tx.watches = append(c.tx.watches, entry.Watch{Key: bytes.Clone(key), Version: version})
	}
	c.w().OK()
}
