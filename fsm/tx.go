package fsm

import (
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// transaction executes a MULTI…EXEC as one step: its slot's lock is held from the comparison of the watched versions to
// the last reply, so a reader sees all of it or nothing.
func (c *call) transaction(tx *entry.Tx) Verdict {
	plan := c.planTransaction(tx)
	c.s, c.args = nil, nil
	switch {
	case plan.misfit != "":
		c.w.Error("EXECABORT Transaction discarded because of: " + plan.misfit)
		return Done
	case !plan.keyed:
		c.w.Array(0)
		return Done
	}
	if c.s = c.st.serving(plan.slot); c.s == nil {
		return NotOwned
	}
	c.tx = tx
	c.onSlot(plan.write, (*call).runTransaction)
	c.tx = nil
	return Done
}

// txPlan is what the commands of a transaction have in common.
type txPlan struct {
	slot         uint16
	keyed, write bool
	// misfit is why the transaction cannot be one step of one slot.
	misfit string
}

// planTransaction looks at every command and watched key. All must be in one slot; the front end sees to that, and a
// mistake there must not put a key where nobody looks for it.
func (c *call) planTransaction(tx *entry.Tx) (p txPlan) {
	for _, w := range tx.Watches {
		p.add(slot.Of(w.Key))
	}
	for i := range tx.Ops {
		o := operationOf(tx.Ops[i].Cmd)
		if o.write {
			c.mustBeApplying(o.spec.Name)
		}
		p.write = p.write || o.write
		switch n, routing := command.SlotOf(o.spec, tx.Ops[i].Args); routing {
		case command.OneSlot:
			p.add(n)
		case command.CrossSlot:
			p.misfit = reply.CrossSlot
		case command.NoKeys:
			p.misfit = "ERR '" + o.spec.Name + "' is about the whole node, not about keys of one slot"
		}
	}
	return p
}

func (p *txPlan) add(n uint16) {
	if p.keyed && n != p.slot {
		p.misfit = reply.CrossSlot
	}
	p.slot, p.keyed = n, true
}

func (c *call) runTransaction() {
	tx := c.tx
	for _, w := range tx.Watches {
		if !c.unchanged(w) {
			c.w.NullArray()
			return
		}
	}
	limited := c.st.limited()
	if limited && !c.transactionFits() {
		c.w.Error("EXECABORT Transaction discarded because of: " + reply.OutOfMemory)
		return
	}
	start := len(c.w.Buf)
	c.w.Array(len(tx.Ops))
	for i := range tx.Ops {
		full, before := c.w.Full(start), len(c.w.Buf)
		c.runOp(&tx.Ops[i], limited)
		if full && len(c.w.Buf)-before > shortReply {
			c.w.Buf = c.w.Buf[:before]
			c.w.Error(reply.LeftOut)
		}
	}
}

// shortReply is how long a reply may be that is never left out: that of a command that changes something mostly is.
const shortReply = 1 << 10

// runOp runs a transaction's op.
func (c *call) runOp(op *entry.Op, limited bool) {
	switch {
	case !c.prepare(op):
		c.w.WrongArity(c.name())
	case limited && c.op.denyOOM:
		c.runWithin()
	default:
		c.op.run(c)
	}
}

// prepare makes op the one that is executed; false if it has too few or too many arguments.
func (c *call) prepare(op *entry.Op) bool {
	c.op, c.args, c.noTouch = operationOf(op.Cmd), op.Args, op.NoTouch
	return c.op.spec.ArityOK(len(c.args))
}

// absent in a WATCH token says that there was no such key when the machine's version was the rest of it, or later.
const absent = 1 << 62

// versionOf is a key's WATCH token: its version, or absent. An expired key is none.
func (c *call) versionOf(key []byte) uint64 {
	if r, ok := c.lookup(key); ok {
		return r.Version
	}
	return absent | c.st.settled.Load()
}

// unchanged reports whether a key is as it was when it was watched. One that was not there and is not has not been there in
// between: whatever was would have a later version, and be held although it has expired, or be among the removed. Another key of
// its slot that was written and is gone since is taken for it: clients try again, as they must anyway.
func (c *call) unchanged(w entry.Watch) bool {
	v := c.versionOf(w.Key)
	switch gone := v&absent != 0; {
	case offWatchVersion, offWatchGone && gone:
		return true
	case !gone || w.Version&absent == 0:
		return v == w.Version
	}
	since := w.Version &^ absent
	r, held := c.s.keys.Get(w.Key)
	return c.s.removed <= since && !(held && r.Version > since)
}

// cmdWatch answers the watch token of each key, for the front end: clients see only +OK.
func cmdWatch(c *call) {
	c.w.Array(len(c.args))
	for _, key := range c.args {
		c.w.Int(int64(c.versionOf(key)))
	}
}

// WatchVersion is the token that WATCH remembers of a key for entry.Watch. Any goroutine may ask.
func (m *Machine) WatchVersion(key []byte, wall int64) (uint64, Verdict) {
	c := call{m: m, st: m.current.Load(), wall: wall}
	if c.s = c.st.serving(slot.Of(key)); c.s == nil {
		return 0, NotOwned
	}
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	c.now = c.st.now.Load()
	version := c.versionOf(key)
	if c.early {
		return 0, NeedAdvance
	}
	return version, Done
}
