package resp

import (
	"bytes"
	"math/rand/v2"
	"strconv"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// Commands about the whole node act on the groups that it answers for, and on no followers: a client that asks every master
// and adds up would otherwise count each key once per replica. For a group without a leader every member answers: it waits, as keyed
// commands do, for a leader to be known. If all of them left the group out, nothing would tell the client.

// own reports whether this node answers for the group: it leads it, or is a member and knows nobody who leads.
func (t *target) own() bool { return t.leading || t.leader == "" && t.member }

// ownGroups gives one slot of each group that this node answers for.
func (r *routes) ownGroups() (slots []uint16) {
	seen := make([]bool, len(r.targets))
	for n, i := range r.slots {
		if !seen[i] && r.targets[i].own() {
			slots = append(slots, uint16(n))
		}
		seen[i] = true
	}
	return slots
}

// askOwners has the group of each slot execute a command and returns their replies. A reply is an error if the group gave none, and
// empty if another node turned out to lead it, which answers for it then.
func (c *conn) askOwners(id command.ID, slots []uint16, args func(i int) [][]byte) [][]byte {
	r, spec := c.run, command.ByID(id)
	r.routes = c.view()
	for i, n := range slots {
		r.gather(placed{spec: spec, slot: n}, r.routes.at(n), entry.Op{Cmd: id, Args: args(i)}, c.proto, false)
	}
	return c.collect()
}

func (c *conn) askOwner(id command.ID, n uint16, args [][]byte) []byte {
	return c.askOwners(id, []uint16{n}, func(int) [][]byte { return args })[0]
}

// askOwn has every group that this node answers for execute a command.
func (c *conn) askOwn(id command.ID, args [][]byte) [][]byte {
	return c.askOwners(id, c.view().ownGroups(), func(int) [][]byte { return args })
}

// firstWith is the first of the replies that begins with prefix, nil if none does.
func firstWith(prefix string, replies [][]byte) []byte {
	for _, got := range replies {
		if bytes.HasPrefix(got, []byte(prefix)) {
			return got
		}
	}
	return nil
}

// relay answers what a group has answered.
func (c *conn) relay(got []byte) { c.w().Buf = append(c.w().Buf, got...) }

// relayError answers the first error among the replies; false if there is none. The other replies are a part of what was asked for.
func (c *conn) relayError(replies [][]byte) bool {
	failed := firstWith("-", replies)
	c.relay(failed)
	return failed != nil
}

func cmdDbsize(c *conn, args [][]byte) {
	replies := c.askOwn(command.Dbsize, args)
	if c.relayError(replies) {
		return
	}
	sum := int64(0)
	for _, got := range replies {
		n, _ := integer(got)
		sum += n
	}
	c.w().Int(sum)
}

func cmdKeys(c *conn, args [][]byte) {
	replies := c.askOwn(command.Keys, args)
	if c.relayError(replies) {
		return
	}
	var keys [][]byte
	for _, got := range replies {
		keys = append(keys, elements(got)...)
	}
	c.writeRaw(keys)
}

// writeRaw writes an array of replies that are bulk strings already.
func (c *conn) writeRaw(list [][]byte) {
	c.w().Array(len(list))
	for _, e := range list {
		c.relay(e)
	}
}

// cmdRandomkey answers a key of any group; that there is none, only all of them together can say.
func cmdRandomkey(c *conn, args [][]byte) {
	replies := c.askOwn(command.Randomkey, args)
	rand.Shuffle(len(replies), func(i, j int) { replies[i], replies[j] = replies[j], replies[i] })
	for _, got := range replies {
		if bulk(got) != nil {
			c.relay(got)
			return
		}
	}
	if !c.relayError(replies) {
		c.w().Null()
	}
}

func cmdFlushall(c *conn, args [][]byte) { c.flushGroups(command.Flushall, args) }
func cmdFlushdb(c *conn, args [][]byte)  { c.flushGroups(command.Flushdb, args) }

// flushGroups empties every group that this node answers for, each through its log. That nothing was applied may be said only if no
// group was emptied.
func (c *conn) flushGroups(id command.ID, args [][]byte) {
	replies := c.askOwn(id, args)
	failed, unknown := firstWith("-", replies), firstWith("-UNCERTAIN", replies)
	switch {
	case failed == nil:
		c.w().OK()
	case unknown != nil:
		c.relay(unknown)
	case firstWith("+", replies) == nil:
		c.relay(failed)
	default:
		c.s.stats.uncertain.Add(1)
		c.w().Error("UNCERTAIN some groups were emptied and others were not: " + string(bytes.TrimSpace(failed[1:])))
	}
}

// cmdScan passes the cursor, which holds the slot, to the group that owns it, and skips slots of groups that other nodes
// answer for: the client scans those there.
func cmdScan(c *conn, args [][]byte) {
	cursor, err := strconv.ParseUint(string(args[0]), 10, 64)
	if _, ok := fsm.CursorSlot(cursor); err != nil || !ok {
		c.w().Error(reply.InvalidCursor)
		return
	}
	rt := c.view()
	cursor, ok := rt.nextOwn(cursor)
	if !ok {
		c.writeScan(0, nil)
		return
	}
	n, _ := fsm.CursorSlot(cursor)
	got := c.askOwner(command.Scan, n, append([][]byte{strconv.AppendUint(nil, cursor, 10)}, args[1:]...))
	if len(got) == 0 {
		c.writeScan(rt.behind(n), nil)
		return
	}
	parts := elements(got)
	if len(parts) != 2 {
		c.relay(got)
		return
	}
	next, _ := strconv.ParseUint(string(bulk(parts[0])), 10, 64)
	c.writeScan(next, elements(parts[1]))
}

// nextOwn is where a scan goes on that has come to cursor: there, or at the first slot behind it of a group that this node answers
// for; ok is false if there is none.
func (r *routes) nextOwn(cursor uint64) (next uint64, ok bool) {
	first, _ := fsm.CursorSlot(cursor)
	for n := first; n < slot.Count; n++ {
		if r.at(n).own() {
			return max(cursor, fsm.ScanStart(n)), true
		}
	}
	return 0, false
}

// behind is the cursor at the end of the run of slots of n's group that n is in.
func (r *routes) behind(n uint16) uint64 {
	group := r.slots[n]
	for n < slot.Count && r.slots[n] == group {
		n++
	}
	return fsm.ScanStart(n)
}

// writeScan answers the keys and where to go on; cursor 0 is the end.
func (c *conn) writeScan(cursor uint64, keys [][]byte) {
	if cursor != 0 {
		cursor, _ = c.view().nextOwn(cursor)
	}
	c.w().Array(2)
	c.w().BulkString(strconv.FormatUint(cursor, 10))
	c.writeRaw(keys)
}

func cmdCountkeysinslot(c *conn, args [][]byte) {
	c.inSlot(command.ClusterCountkeysinslot, args, func() { c.w().Int(0) })
}

func cmdGetkeysinslot(c *conn, args [][]byte) {
	at, slotOK := parseInteger(args[0])
	n, countOK := parseInteger(args[1])
	switch {
	case !slotOK || !countOK:
		c.w().Error(reply.NotInteger)
		return
	case n < 0 || at < 0 || at >= slot.Count:
		c.w().Error("ERR Invalid slot or number of keys")
		return
	}
	c.inSlot(command.ClusterGetkeysinslot, args, func() { c.w().Array(0) })
}

// inSlot asks the group that owns the slot args[0]; absent answers if another node answers for it.
func (c *conn) inSlot(id command.ID, args [][]byte, absent func()) {
	n, ok := parseInteger(args[0])
	switch {
	case !ok:
		c.w().Error(reply.NotInteger)
		return
	case n < 0 || n >= slot.Count:
		c.w().Error("ERR Invalid slot")
		return
	case !c.view().at(uint16(n)).own():
		absent()
		return
	}
	got := c.askOwner(id, uint16(n), args)
	if len(got) == 0 {
		absent()
		return
	}
	c.relay(got)
}
