package resp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// handler answers a command that the connection or the server executes. It writes exactly one reply to c.run.own, but for SHUTDOWN.
type handler func(c *conn, args [][]byte)

// light commands neither look at nor change what the commands before them in the pipeline do, so these need not be
// finished first.
var light = map[command.ID]bool{
	command.Ping: true, command.Echo: true, command.Time: true, command.Readonly: true, command.Readwrite: true,
	command.Asking: true, command.Multi: true, command.ClusterKeyslot: true, command.ClientSetinfo: true,
}

// command executes or gathers one command.
func (c *conn) command(spec *command.Spec, words [][]byte) {
	c.run.start()
	c.beginReply()
	if c.dispatchable(spec, words) {
		c.dispatch(spec, words[spec.Words():])
	}
	c.endReply(spec)
}

// beginReply and endReply enclose what one command of the client does: see CLIENT REPLY SKIP and CLIENT CACHING.
func (c *conn) beginReply() {
	if c.reply == replySkipNext {
		c.reply = replySkip
	}
}

func (c *conn) endReply(spec *command.Spec) {
	if c.reply == replySkip {
		c.reply = replyOn
	}
	c.track.commandDone(spec, c.tx.open)
}

// mute reports whether the current command's reply is hidden.
func (c *conn) mute() bool { return c.reply == replyOff || c.reply == replySkip }

// w is where the connection's own replies go.
func (c *conn) w() *reply.Writer { return &c.run.own }

// refuse answers a command with an error without executing it; inside MULTI it spoils the transaction.
func (c *conn) refuse(spec *command.Spec, text string) {
	c.w().Error(text)
	c.refused(spec)
}

func (c *conn) refused(spec *command.Spec) {
	c.tx.spoil()
	if spec != nil {
		c.s.stats.commands[spec.ID].rejected.Add(1)
	}
	c.run.answered(nil, c.mute())
	c.s.stats.countError(c.lastOwn())
}

// lastOwn is the reply that was added to own last.
func (c *conn) lastOwn() []byte {
	r := c.run
	start := 0
	for i := len(r.cmds) - 2; i >= 0; i-- {
		if r.cmds[i].call == inline {
			start = r.cmds[i].at
			break
		}
	}
	return r.own.Buf[start:]
}

// isHTTP reports whether an unknown command is a line of an HTTP request.
func isHTTP(word []byte) bool {
	return bytes.EqualFold(word, []byte("post")) || bytes.EqualFold(word, []byte("host:"))
}

// dropHTTP ends the connection without a reply, as Redis does: a browser that is made to send a request here would
// otherwise have the lines of its body executed, on an address that only this machine reaches.
func (c *conn) dropHTTP() {
	c.s.stats.protocolErrors.Add(1)
	c.s.log.Warn("dropped a client that speaks HTTP: an attack from a browser, or a mistaken address", "client", c.remote)
	c.closing = true
}

// dispatchable checks what Redis checks before it looks at a command's meaning, in Redis's order.
func (c *conn) dispatchable(spec *command.Spec, words [][]byte) bool {
	switch {
	case spec == nil && isHTTP(words[0]):
		c.dropHTTP()
	case spec == nil:
		c.w().UnknownCommand(words[0], words[1:])
		c.refused(nil)
	case spec.IsContainer() && len(words) > 1 && spec.Words() == 1:
		c.w().UnknownSubcommand(strings.ToUpper(spec.Name), words[1])
		c.refused(nil)
	case !spec.ArityOK(len(words) - spec.Words()):
		c.w().WrongArity(spec.Name)
		c.refused(spec)
	case !c.authed && !spec.Has(command.NoAuth):
		c.refuse(spec, reply.AuthRequired)
	case c.tx.open && spec.Has(command.NoMulti):
		c.refuse(spec, "ERR Command not allowed inside a transaction")
	case c.subscribed && c.proto == 2 && !allowedSubscribed[spec.ID]:
		c.refuse(spec, "ERR Can't execute '"+spec.Name+"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
	default:
		return true
	}
	return false
}

var allowedSubscribed = map[command.ID]bool{
	command.Subscribe: true, command.Unsubscribe: true, command.Ping: true, command.Quit: true, command.Reset: true,
}

// immediate commands are executed inside MULTI rather than queued.
var immediate = map[command.ID]bool{
	command.Exec: true, command.Discard: true, command.Multi: true, command.Watch: true, command.Quit: true, command.Reset: true,
}

func (c *conn) dispatch(spec *command.Spec, args [][]byte) {
	switch {
	case c.tx.open && !immediate[spec.ID]:
		c.queue(spec, args)
	case spec.Home == command.Keyed:
		c.keyed(spec, args)
	case light[spec.ID]:
		c.own(spec, args, handlers[spec.ID])
	case spec.ID == command.Exec:
		c.own(spec, args, handlers[spec.ID])
	default:
		c.execute()
		c.own(spec, args, handlers[spec.ID])
		c.execute()
	}
}

// own runs a handler and notes its reply. Whether that is hidden is decided after CLIENT REPLY took effect.
func (c *conn) own(spec *command.Spec, args [][]byte, run handler) {
	if len(c.run.cmds) == 0 {
		c.ownArgs = args
	}
	run(c, args)
	c.publish()
	if c.tx.gathered {
		// EXEC: the group replies.
		c.tx.gathered = false
		return
	}
	c.run.answered(spec, c.mute() || spec.ID == command.ClientReply && c.reply != replyOn)
}

// keyed routes a command by its keys.
func (c *conn) keyed(spec *command.Spec, args [][]byte) {
	n, routing := command.SlotOf(spec, args)
	if routing == command.CrossSlot {
		c.refuse(spec, reply.CrossSlot)
		return
	}
	if c.overlong(spec, args) {
		c.refuse(spec, reply.StringTooLong)
		return
	}
	read, op := spec.Has(command.ReadOnly), c.op(spec, args)
	if !read && op.Size() > entry.MaxOp {
		c.refuse(spec, fmt.Sprintf("ERR command too large: %d bytes, at most %d can be written in one step", op.Size(), entry.MaxOp))
		return
	}
	t, follower, ok := c.route(spec, n, read)
	if !ok {
		return
	}
	if c.track.on {
		c.trackReads(spec, args)
	}
	p := placed{spec: spec, slot: n, mute: c.mute()}
	c.run.gather(p, t, op, c.proto, follower)
}

// overlong reports whether a SETRANGE would make a value longer than one that could be written: the machine would allow 512 MB, and a
// short command would have every replica allocate them.
func (c *conn) overlong(spec *command.Spec, args [][]byte) bool {
	if spec.ID != command.Setrange || len(args[2]) == 0 {
		return false
	}
	offset, err := strconv.ParseInt(string(args[1]), 10, 64)
	return err == nil && offset > c.s.cfg.Load().MaxBulkLen-int64(len(args[2]))
}

// op is a keyed command for its group. TOUCH touches whatever the client asked for.
func (c *conn) op(spec *command.Spec, args [][]byte) entry.Op {
	return entry.Op{Cmd: spec.ID, Args: args, NoTouch: c.noTouch && spec.Has(command.ReadOnly) && spec.ID != command.Touch}
}

// route finds the group for slot n. If another node must be asked, or the client should read the new map first, it
// answers MOVED and ok is false.
func (c *conn) route(spec *command.Spec, n uint16, read bool) (t *target, follower, ok bool) {
	if c.run.routes == nil {
		c.run.routes = c.s.routes.Load()
	}
	t = c.run.routes.at(n)
	switch {
	case t.leading:
		if c.nudge != c.s.nudges.Load() && c.nudgeNow(spec, n) {
			return nil, false, false
		}
	case read && c.readonly && t.replica != nil:
		return t, true, true
	default:
		if addr := c.movedTo(t); addr != "" {
			c.learnTopology()
			c.w().Moved(n, addr)
			c.refused(spec)
			return nil, false, false
		}
	}
	return t, false, true
}
