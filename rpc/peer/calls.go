package peer

import (
	"errors"
	"math"
	"sync"
	"time"
)

// pending is a call that waits for its reply.
type pending struct {
	id uint64
	// deadline is in nanoseconds of the node's clock; heard is callTable.heard when the call began.
	deadline int64
	heard    uint64

	// done gets one token when op and reply are set. op is that of the reply, or opExpired or opLost.
	done  chan struct{}
	op    byte
	reply []byte
}

// Outcomes of a call beside the ops of replies.
const (
	opExpired = opEnd + iota
	opLost
)

var pendings = sync.Pool{New: func() any { return &pending{done: make(chan struct{}, 1)} }}

// recycle puts p back for reuse. Its token, if there was one, has been taken, and no table knows it any more.
func (p *pending) recycle() {
	p.reply = nil // the caller's
	pendings.Put(p)
}

// callTable holds the calls of a connection that wait. One timer watches over all their deadlines: it is set to the
// earliest, and looked at again only when it goes off.
type callTable struct {
	c *conn

	mu   sync.Mutex
	lost bool
	// slots[i] is nil if it is free, and then i is in free. A call's id is its slot in the lower bits, and above a number
	// that no other call has.
	slots []*pending
	free  []int32
	last  uint64
	// heard counts the frames that came.
	heard uint64

	timer *time.Timer
	// due is when the timer goes off, by the node's clock; never if it does not run.
	due int64
}

const (
	slotBits = 20
	maxSlots = 1 << slotBits
	never    = math.MaxInt64
)

var errTooManyCalls = errors.New("too many calls wait on this connection")

func (t *callTable) init(c *conn) {
	t.c, t.due = c, never
	t.timer = time.AfterFunc(time.Hour, t.expire)
	t.timer.Stop()
}

// begin registers a call and sets the id that its reply must have.
func (t *callTable) begin(p *pending, now int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.lost:
		return t.c.why
	case len(t.free) > 0:
	case len(t.slots) == maxSlots:
		return errTooManyCalls
	default:
		t.free = append(t.free, int32(len(t.slots)))
		t.slots = append(t.slots, nil)
	}
	slot := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.slots[slot] = p
	t.last++
	p.id, p.heard = t.last<<slotBits|uint64(slot), t.heard
	if p.deadline < t.due {
		t.due = p.deadline
		t.timer.Reset(time.Duration(p.deadline - now))
	}
	return nil
}

// take removes the call with an id; nil if none with that id waits. It needs mu.
func (t *callTable) take(id uint64) *pending {
	slot := id % maxSlots
	if slot >= uint64(len(t.slots)) || t.slots[slot] == nil || t.slots[slot].id != id {
		return nil
	}
	p := t.slots[slot]
	t.slots[slot] = nil
	t.free = append(t.free, int32(slot))
	return p
}

// withdraw ends a call without an outcome. False: there is one after all, and its token has been taken.
func (t *callTable) withdraw(p *pending) bool {
	t.mu.Lock()
	withdrawn := t.take(p.id) != nil
	t.mu.Unlock()
	if !withdrawn {
		<-p.done
	}
	return withdrawn
}

// deliver hands a reply to the call that waits for it, if it still does.
func (t *callTable) deliver(f *frame) {
	t.mu.Lock()
	t.heard++
	p := t.take(f.id)
	t.mu.Unlock()
	if p != nil {
		p.op, p.reply = f.op, append(p.reply, f.payload...)
		p.done <- struct{}{}
	}
}

// silentSince reports whether nothing has come since p began.
func (t *callTable) silentSince(p *pending) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard == p.heard
}

// expire is what the timer does: it ends the calls whose deadline has passed.
func (t *callTable) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, due := t.c.n.sinceStart(), int64(never)
	for _, p := range t.slots {
		switch {
		case p == nil:
		case p.deadline > now:
			due = min(due, p.deadline)
		default:
			t.take(p.id)
			p.op = opExpired
			p.done <- struct{}{}
		}
	}
	if t.due = due; due != never {
		t.timer.Reset(time.Duration(due - now))
	}
}

// abandon ends all calls: the connection is lost.
func (t *callTable) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = true
	t.timer.Stop()
	for _, p := range t.slots {
		if p != nil {
			p.op = opLost
			p.done <- struct{}{}
		}
	}
	t.slots, t.free = nil, nil
}
