package resp

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup"
)

const (
	// maxRun bounds how many commands are executed together, firstRun is the bound on a new connection: what its commands answer is not
	// known yet. (With 16, fifty new clients that asked for 256 KB each time cost a node 590 MB.)
	maxRun, firstRun = 1024, 4
	// runReplies is how many bytes of replies a run should make: they are held whole until the client takes them. Fifty clients that
	// asked 200 times for 256 KB each and read nothing cost a node 1.5 GB.
	runReplies = 1 << 20
	// maxReply is how long the reply to one command or transaction may be, Redis's longest string: the node holds all of it, and a client that
	// asks for a value a million times over would end one leader after the other.
	maxReply = 512 << 20
)

// inline marks a command that the connection answered itself.
const inline = -1

// run is a stretch of one pipeline: its commands in order, gathered into one call per group.
//
// A connection needs one only while it has commands to execute, so a loop lends few of them to many connections: with one each, about 5 KB
// at 16 GETs together, and a buffer for replies each, GETs of ten thousand connections cost 0.92 µs instead of 0.83.
type run struct {
	// c is the connection that has the run.
	c    *conn
	cmds []placed
	// words holds the arguments of the commands.
	words [][]byte
	// own holds the replies that the connection made.
	own reply.Writer
	// calls[:n] are in use; the others wait to be used again.
	calls []*groupCall
	used  int
	// last is the call that was gathered into most recently; the next command often goes there too.
	last *groupCall
	// newest, once there are more than fewCalls of them, holds at g%64 the call that was begun last for a group g with that
	// remainder: with many groups no command can look through all calls for its own. It is nil on most connections.
	newest *[64]*groupCall
	// routes are the same for the whole run until it is settled, and then for each round of that. So are leaders, which raft named for
	// groups: see leaderNow.
	routes  *routes
	leaders map[slot.GroupID]topology.NodeID
	began   time.Time
	// hits and misses of GET and its like.
	hits, misses uint64

	// asked: the calls were handed to their groups; pending counts those that are under way, and work that is waited for.
	asked   bool
	pending atomic.Int32
	done    func(*shardgroup.Call)
	// slow: some of the reads have to wait for the read gate or another node.
	slow bool
	// blocking: somebody waits at wake for the replies, instead of the connection's driver.
	blocking bool
	wake     chan struct{}
}

// placed is one command of a run and where its reply will be.
type placed struct {
	spec *command.Spec
	// at is the op's index in calls[call]; for inline commands the end of the reply in own.Buf.
	at   int
	call int16
	slot uint16
	// mute hides the reply (CLIENT REPLY OFF).
	mute bool
}

// groupCall is what one group is asked.
type groupCall struct {
	shardgroup.Call
	// number is its place in run.calls.
	number int16
	// alone is the call as a list, for Submit.
	alone  [1]*shardgroup.Call
	t      *target
	writes bool
	// follower: a READONLY connection asks this node's replica though another node leads.
	follower bool
	// parked: nobody was asked, because the leader is unknown.
	parked bool
	// handed: the group was or will be handed the call and calls Done.
	handed bool
}

// newRun makes a run for c.
func newRun(c *conn) *run {
	r := &run{wake: make(chan struct{}, 1)}
	r.done = func(*shardgroup.Call) {
		// Looked at before the last reply is counted: after it, the run is its owner's again.
		c, blocking := r.c, r.blocking
		switch {
		case r.pending.Add(-1) > 0:
		case blocking:
			r.signal()
		default:
			c.by.arrived(c)
		}
	}
	r.lend(c)
	return r
}

// lend gives an empty run to c.
func (r *run) lend(c *conn) { r.c, r.own.Proto = c, c.proto }

// idle reports whether the run is empty and nobody uses it.
func (r *run) idle() bool { return len(r.cmds) == 0 && !r.asked }

// asks reports whether commands of the connection are with their groups, or answered and not looked at.
func (c *conn) asks() bool { return c.run != nil && c.run.asked }

// signal wakes await. A signal that nobody awaited any more does no harm: await looks again.
func (r *run) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// await returns when all calls under way have their replies.
func (r *run) await() {
	for r.pending.Load() > 0 {
		<-r.wake
	}
}

// start is called before anything is added: what comes first, refused or not, is when the run began.
func (r *run) start() {
	if len(r.cmds) == 0 {
		r.began = time.Now()
	}
}

// answered notes that the connection wrote the command's reply to own.
func (r *run) answered(spec *command.Spec, mute bool) {
	r.cmds = append(r.cmds, placed{spec: spec, at: len(r.own.Buf), call: inline, mute: mute})
}

// fail adds an error that belongs to no command.
func (r *run) fail(text string) {
	r.own.Error(text)
	r.answered(nil, false)
}

// gather adds a command for group t.
func (r *run) gather(p placed, t *target, op entry.Op, proto int8, follower bool) {
	gc := r.last
	if gc == nil || gc.t.id != t.id || gc.follower != follower {
		gc = r.callFor(t, proto, follower)
		r.last = gc
	}
	read := isRead(p.spec, &op)
	gc.writes = gc.writes || !read
	p.at, p.call = len(gc.Ops), gc.number
	gc.Ops = append(gc.Ops, op)
	gc.Reads = append(gc.Reads, read)
	r.cmds = append(r.cmds, p)
}

// isRead reports whether op changes nothing. A transaction of reads is a read: the machine answers it at one moment.
func isRead(spec *command.Spec, op *entry.Op) bool {
	if op.Tx == nil {
		return !spec.Has(command.Write) // Redis does not call all others read-only: WATCH, CLUSTER COUNTKEYSINSLOT
	}
	for i := range op.Tx.Ops {
		if !command.ByID(op.Tx.Ops[i].Cmd).Has(command.ReadOnly) {
			return false
		}
	}
	return true
}

// callFor finds the run's call for t or starts one. What a follower could answer joins commands for the leader, if there
// are any, because it must not pass them: they may have to wait for a leader. So a group's call for the leader is its newest.
func (r *run) callFor(t *target, proto int8, follower bool) *groupCall {
	var gc *groupCall
	if r.used > fewCalls {
		gc = r.newest[t.id%64]
	}
	if r.used <= fewCalls || gc != nil && gc.t.id != t.id {
		gc = r.find(t.id)
	}
	if gc == nil || gc.follower && !follower {
		gc = r.newCall(t, proto, follower)
	}
	return gc
}

// fewCalls are looked through without an index.
const fewCalls = 8

// find looks through the calls for the newest one of a group.
func (r *run) find(id slot.GroupID) *groupCall {
	for _, gc := range slices.Backward(r.calls[:r.used]) {
		if gc.t.id == id {
			return gc
		}
	}
	return nil
}

// index has the last call found by its group's number, and the others too if it is the first one that needs it.
func (r *run) index() {
	from := r.used - 1
	if from == fewCalls {
		from = 0
		if r.newest == nil {
			r.newest = new([64]*groupCall)
		}
		clear(r.newest[:])
	}
	for _, gc := range r.calls[from:r.used] {
		r.newest[gc.t.id%64] = gc
	}
}

func (r *run) newCall(t *target, proto int8, follower bool) *groupCall {
	if r.used == len(r.calls) {
		gc := &groupCall{number: int16(r.used)}
		gc.Out.Limit, gc.alone[0] = maxReply, &gc.Call
		r.calls = append(r.calls, gc)
	}
	gc := r.calls[r.used]
	r.used++
	gc.t, gc.follower, gc.Out.Proto, gc.Done = t, follower, proto, r.done
	gc.parked = !t.leading && !follower
	if r.used > fewCalls {
		r.index()
	}
	return gc
}

// reset makes a call ready for reuse. Large buffers go: what one reply needed must not be held for ever.
func (gc *groupCall) reset() {
	buf := gc.Out.Buf[:0]
	if cap(buf) > maxKeptOut {
		buf = nil
	}
	if cap(gc.Ops) > maxRun {
		gc.Ops, gc.Reads, gc.Ends = nil, nil, nil
	}
	clear(gc.Ops)
	gc.Call = shardgroup.Call{Ops: gc.Ops[:0], Reads: gc.Reads[:0], Ends: gc.Ends[:0], Moved: gc.Moved[:0], Out: reply.Writer{Buf: buf, Limit: maxReply}}
	gc.t, gc.writes, gc.follower, gc.parked, gc.handed = nil, false, false, false, false
}

// clear forgets the run.
func (r *run) clear() {
	r.clearCalls()
	clear(r.words) // they hold what was read
	if r.words = r.words[:0]; cap(r.words) > maxKeptWords {
		r.words = nil
	}
	if r.own.Buf = r.own.Buf[:0]; cap(r.own.Buf) > maxKeptOut {
		r.own.Buf = nil
	}
}

// clearCalls forgets what was gathered, not what the connection has written itself.
func (r *run) clearCalls() {
	for _, gc := range r.calls[:r.used] {
		gc.reset()
	}
	if r.used, r.last, r.routes = 0, nil, nil; len(r.leaders) > 0 {
		clear(r.leaders)
	}
	r.asked, r.slow = false, false
	r.cmds = r.cmds[:0]
}

// keep notes that words were appended to the arena. Where it was too small, they are in an array of their own, and
// a larger arena begins; the commands before still hold the old one.
func (r *run) keep(words [][]byte) {
	if len(r.words)+len(words) <= cap(r.words) {
		r.words = r.words[:len(r.words)+len(words)]
		return
	}
	r.words = make([][]byte, 0, max(firstWords, 2*cap(r.words), 2*len(words)))
}

// leave clears up to n words that were put into the arena and are not kept: clear does not reach them, and they hold what was read.
func (r *run) leave(n int) {
	behind := r.words[len(r.words):cap(r.words)]
	clear(behind[:min(n, len(behind))])
}

const (
	// firstWords is the arguments' arena of a run without a pipeline, maxKeptWords bounds that of an idle one.
	firstWords   = 32
	maxKeptWords = 4096
)

// replyOf returns the reply of p, which must have one.
func (r *run) replyOf(p *placed) []byte {
	gc := r.calls[p.call]
	start := 0
	if p.at > 0 {
		start = gc.Ends[p.at-1]
	}
	return gc.Out.Buf[start:gc.Ends[p.at]]
}

// looked counts a value that was looked up, by its reply. Those of MGET are counted by whoever makes its reply.
func (r *run) looked(text []byte) {
	switch {
	case text[0] == '-':
	case len(text) == len("$-1\r\n") && text[1] == '-' || text[0] == '_':
		r.misses++
	default:
		r.hits++
	}
}

// clean reports whether every command asked has its reply.
func (r *run) clean() bool {
	for _, gc := range r.calls[:r.used] {
		if gc.parked || gc.Err != nil || len(gc.Moved) > 0 {
			return false
		}
	}
	return true
}

// execute runs what was gathered and waits for the replies, which it appends to the output: for work.
func (c *conn) execute() {
	r := c.run
	if len(r.cmds) == 0 {
		return
	}
	if r.used > 0 {
		c.ask(0)
		if !r.clean() {
			c.settle()
		}
	}
	c.finish()
}

// finish sends the replies, in the order of the commands.
func (c *conn) finish() {
	r := c.run
	c.account()
	c.pace()
	if r.used == 1 && c.pendingOut() == 0 && len(r.cmds) == len(r.calls[0].Ops) && !c.muted() {
		c.send(&r.calls[0].Out)
	} else {
		c.assemble()
	}
	r.clear()
	c.ownArgs = nil // they may be large
}

// pace makes the next run shorter if this one answered too much, or longer if it was full.
func (c *conn) pace() {
	r := c.run
	n, bytes := len(r.cmds), len(r.own.Buf)
	for _, gc := range r.calls[:r.used] {
		bytes += len(gc.Out.Buf)
	}
	switch {
	case bytes > runReplies:
		c.most = max(1, min(c.most, n*runReplies/bytes))
	case n >= c.most:
		c.most = min(maxRun, 2*c.most)
	}
}

// muted reports whether any reply of the run is hidden.
func (c *conn) muted() bool {
	for i := range c.run.cmds {
		if c.run.cmds[i].mute {
			return true
		}
	}
	return false
}

// assemble copies the replies in the order of the commands.
func (c *conn) assemble() {
	r := c.run
	c.openOut()
	start := 0
	for i := range r.cmds {
		p := &r.cmds[i]
		if p.call == inline {
			if !p.mute {
				c.out = append(c.out, r.own.Buf[start:p.at]...)
			}
			start = p.at
			continue
		}
		if !p.mute {
			c.out = append(c.out, r.replyOf(p)...)
		}
	}
}
