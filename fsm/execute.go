package fsm

import (
	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// single executes an op that is not a transaction, in the log or for a reader.
func (c *call) single(op *entry.Op) Verdict {
	o := operationOf(op.Cmd)
	if o.write {
		c.mustBeApplying(o.spec.Name)
	}
	c.op, c.args, c.s, c.noTouch = o, op.Args, nil, op.NoTouch
	if !o.spec.ArityOK(len(op.Args)) {
		c.w.WrongArity(o.spec.Name)
		return Done
	}
	if !o.keyed {
		c.now = c.st.now.Load()
		o.run(c)
		return Done
	}
	n, routing := command.SlotOf(o.spec, op.Args)
	if routing == command.CrossSlot {
		c.w.Error(reply.CrossSlot)
		return Done
	}
	if c.s = c.st.serving(n); c.s == nil {
		return NotOwned
	}
	run := o.run
	if o.denyOOM && c.st.limited() {
		run = (*call).runWithin
	}
	c.onSlot(o.write, run)
	if c.unlocked != nil {
		c.unlocked()
		c.unlocked = nil
	}
	return Done
}

// onSlot runs f under the slot's lock. The clock is read behind it: a reader that finds the state after an entry also
// finds that entry's clock.
func (c *call) onSlot(write bool, f func(*call)) {
	if !write {
		c.s.mu.RLock()
		c.now = c.st.now.Load()
		f(c)
		c.s.mu.RUnlock()
		return
	}
	c.s.mu.Lock()
	f(c)
	c.st.settle(c.s)
	c.s.mu.Unlock()
}

func (c *call) applying() bool { return c == &c.m.own }

// mustBeApplying stops the process if a write comes outside the log: replicas would differ from then on.
func (c *call) mustBeApplying(name string) {
	if !c.applying() {
		panic("fsm: Read of the write command " + name)
	}
}

// release drops what a pooled call refers to.
func (c *call) release() {
	c.m, c.st, c.s, c.op, c.args, c.w, c.tx, c.looks = nil, nil, nil, nil, nil, nil, nil, nil
}
