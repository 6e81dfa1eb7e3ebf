package resp

import (
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup"
)

// Commands about the whole node act on the groups that it leads, and on no followers: a client that asks every master
// and adds up would otherwise count each key once per replica.

// led lists the groups that this node leads.
func (r *routes) led() (out []*target) {
	for i := range r.targets {
		if r.targets[i].leading {
			out = append(out, &r.targets[i])
		}
	}
	return out
}

// answer is one group's reply to a command about the node.
type answer struct {
	reply []byte
	// err is that of the call; NotLeader and the like mean that the group is no longer this node's to answer for.
	err error
}

// askGroups executes one command in each of the groups and returns their replies.
func (c *conn) askGroups(id command.ID, args [][]byte, targets ...*target) []answer {
	return c.askEach(command.ByID(id), targets, func(int) [][]byte { return args })
}

// askEach is askGroups with arguments of its own for each target; a group may be asked several times.
func (c *conn) askEach(spec *command.Spec, targets []*target, args func(i int) [][]byte) []answer {
	r := &c.run
	for i, t := range targets {
		r.gather(placed{spec: spec}, t, entry.Op{Cmd: spec.ID, Args: args(i)}, 2, false)
	}
	c.ask(0)
	out := make([]answer, len(targets))
	for i := range r.cmds {
		gc := r.calls[r.cmds[i].call]
		switch {
		case gc.Err != nil:
			out[i].err = gc.Err
		case len(gc.Moved) > 0:
			out[i].err = shardgroup.ErrNoLeader
		default:
			out[i].reply = append([]byte(nil), r.replyOf(&r.cmds[i])...)
		}
	}
	r.clearCalls()
	return out
}

func (c *conn) askLed(id command.ID, args [][]byte) []answer {
	return c.askGroups(id, args, c.s.routes.Load().led()...)
}

// firstError is the first error reply among the answers, nil if there is none.
func firstError(answers []answer) []byte {
	for _, a := range answers {
		if len(a.reply) > 0 && a.reply[0] == '-' {
			return a.reply
		}
	}
	return nil
}

func cmdDbsize(c *conn, args [][]byte) {
	sum := int64(0)
	for _, a := range c.askLed(command.Dbsize, args) {
		n, _ := integer(a.reply)
		sum += n
	}
	c.w().Int(sum)
}

func cmdKeys(c *conn, args [][]byte) {
	answers := c.askLed(command.Keys, args)
	if e := firstError(answers); e != nil {
		c.w().Buf = append(c.w().Buf, e...)
		return
	}
	var keys [][]byte
	for _, a := range answers {
		keys = append(keys, elements(a.reply)...)
	}
	c.writeRaw(keys)
}

// writeRaw writes an array of replies that are bulk strings already.
func (c *conn) writeRaw(list [][]byte) {
	c.w().Array(len(list))
	for _, e := range list {
		c.w().Buf = append(c.w().Buf, e...)
	}
}

// cmdRandomkey asks the groups in a random order until one has a key.
func cmdRandomkey(c *conn, args [][]byte) {
	led := c.s.routes.Load().led()
	rand.Shuffle(len(led), func(i, j int) { led[i], led[j] = led[j], led[i] })
	for _, t := range led {
		if key := bulk(c.askGroups(command.Randomkey, args, t)[0].reply); key != nil {
			c.w().Bulk(key)
			return
		}
	}
	c.w().Null()
}

func cmdFlushall(c *conn, args [][]byte) { c.flushGroups(command.Flushall, args) }
func cmdFlushdb(c *conn, args [][]byte)  { c.flushGroups(command.Flushdb, args) }

// flushGroups empties every group that this node leads, each through its log. One that did not answer leaves the
// outcome open, as others may be empty by now.
func (c *conn) flushGroups(id command.ID, args [][]byte) {
	answers := c.askLed(id, args)
	if e := firstError(answers); e != nil {
		c.w().Buf = append(c.w().Buf, e...)
		return
	}
	for _, a := range answers {
		if a.err == nil {
			continue
		}
		var other *shardgroup.NotLeaderError
		if len(answers) == 1 && (errors.As(a.err, &other) || errors.Is(a.err, shardgroup.ErrNoLeader)) {
			c.w().Error(reply.ClusterDown)
			return
		}
		c.s.stats.uncertain.Add(1)
		c.w().Error("UNCERTAIN some groups may not have been emptied: " + a.err.Error())
		return
	}
	c.w().OK()
}

// cmdScan passes the cursor, which holds the slot, to the group that owns it, and skips slots that are led elsewhere:
// the client scans those there.
func cmdScan(c *conn, args [][]byte) {
	cursor, err := strconv.ParseUint(string(args[0]), 10, 64)
	at, ok := fsm.CursorSlot(cursor)
	if err != nil || !ok {
		c.w().Error(reply.InvalidCursor)
		return
	}
	rt := c.s.routes.Load()
	if !rt.at(at).leading {
		cursor = rt.nextLed(at)
		if at, ok = fsm.CursorSlot(cursor); !ok || cursor == 0 {
			c.writeScan(0, nil)
			return
		}
	}
	args = append([][]byte{strconv.AppendUint(nil, cursor, 10)}, args[1:]...)
	got := c.askGroups(command.Scan, args, rt.at(at))[0]
	if got.err != nil {
		// The group left this node in between; its keys are found at its new leader.
		c.writeScan(rt.nextLed(lastOf(rt, at)), nil)
		return
	}
	parts := elements(got.reply)
	if len(parts) != 2 {
		c.w().Buf = append(c.w().Buf, got.reply...)
		return
	}
	next, _ := strconv.ParseUint(string(bulk(parts[0])), 10, 64)
	if n, _ := fsm.CursorSlot(next); next != 0 && !rt.at(n).leading {
		next = rt.nextLed(n)
	}
	c.writeScan(next, elements(parts[1]))
}

// nextLed is the cursor at the start of the first slot after n that this node leads, 0 if there is none.
func (r *routes) nextLed(n uint16) uint64 {
	for i := int(n) + 1; i < slot.Count; i++ {
		if r.at(uint16(i)).leading {
			return fsm.ScanStart(uint16(i))
		}
	}
	return 0
}

// lastOf is the last slot of the run of n's group that n is in.
func lastOf(r *routes, n uint16) uint16 {
	for int(n)+1 < slot.Count && r.slots[n+1] == r.slots[n] {
		n++
	}
	return n
}

func (c *conn) writeScan(cursor uint64, keys [][]byte) {
	c.w().Array(2)
	c.w().BulkString(strconv.FormatUint(cursor, 10))
	c.writeRaw(keys)
}

func cmdCountkeysinslot(c *conn, args [][]byte) {
	c.inSlot(command.ClusterCountkeysinslot, args, func() { c.w().Int(0) })
}

func cmdGetkeysinslot(c *conn, args [][]byte) {
	n, err := strconv.ParseInt(string(args[1]), 10, 64)
	switch {
	case err != nil:
		c.w().Error(reply.NotInteger)
		return
	case n < 0:
		c.w().Error("ERR Invalid number of keys")
		return
	}
	c.inSlot(command.ClusterGetkeysinslot, args, func() { c.w().Array(0) })
}

// inSlot asks the group that owns the slot args[0]; absent answers if this node does not lead it.
func (c *conn) inSlot(id command.ID, args [][]byte, absent func()) {
	n, err := strconv.ParseInt(string(args[0]), 10, 64)
	switch {
	case err != nil:
		c.w().Error(reply.NotInteger)
		return
	case n < 0 || n >= slot.Count:
		c.w().Error("ERR Invalid slot")
		return
	}
	t := c.s.routes.Load().at(uint16(n))
	if !t.leading {
		absent()
		return
	}
	got := c.askGroups(id, args, t)[0]
	if got.err != nil {
		absent()
		return
	}
	c.w().Buf = append(c.w().Buf, got.reply...)
}
