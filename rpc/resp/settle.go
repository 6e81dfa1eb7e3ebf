package resp

import (
	"errors"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup"
)

// late is a call that no group gets: its Out holds the answers that settle makes.
type late struct{ *groupCall }

// settle finds an answer for every command that its group did not answer. Commands that were certainly not applied
// are routed again until a group answers, another node turns out to lead, or the parking time is over.
func (c *conn) settle() {
	r := c.run
	deadline := time.Now().Add(c.s.cfg.Load().ParkTimeout)
	answers := late{r.newCall(&target{}, c.proto, true)}
	open := c.unanswered(0, answers)
	if len(open) > 0 {
		c.s.stats.parked.Add(uint64(len(open)))
	}
	for again := false; len(open) > 0; again = true {
		rt := c.s.routes.Load()
		clear(r.leaders)
		first := r.used
		waiting := c.reroute(open, rt, again, answers)
		c.ask(first)
		open = append(waiting, c.unanswered(first, answers)...)
		slices.Sort(open)
		if len(open) > 0 && !c.s.awaitChange(rt, c.doubts(open, rt), deadline) {
			c.giveUp(open, rt, answers)
			return
		}
	}
}

// unanswered lists the commands in the calls from first on that have no reply, except those for which the call's error
// is the answer: these get it.
func (c *conn) unanswered(first int, answers late) (open []int) {
	r := c.run
	for i := range r.cmds {
		p := &r.cmds[i]
		if p.call == inline || int(p.call) < first {
			continue
		}
		gc := r.calls[p.call]
		_, moved := slices.BinarySearch(gc.Moved, p.at)
		if gc.parked || gc.Err == nil && moved || gc.Err != nil && !c.explain(p, gc, answers) {
			open = append(open, i)
		}
	}
	return open
}

// explain answers a command whose call failed, if the failure is an answer. False means: not applied, route again.
func (c *conn) explain(p *placed, gc *groupCall, answers late) bool {
	var other *shardgroup.NotLeaderError
	switch {
	case errors.As(gc.Err, &other):
		addr := c.s.otherAddr(other.Leader)
		if addr == "" || !c.confirms(gc.t, topology.NodeID(other.Leader)) {
			return false
		}
		c.elsewhere(p, addr, answers)
	case errors.Is(gc.Err, shardgroup.ErrNoLeader):
		answers.error(p, reply.ClusterDown)
	case errors.Is(gc.Err, shardgroup.ErrOverloaded):
		answers.error(p, "TRYAGAIN "+gc.Err.Error())
	case errors.Is(gc.Err, shardgroup.ErrRefused):
		answers.error(p, "ERR "+gc.Err.Error())
	case gc.Reads[p.at]:
		// A read changes nothing, so that it may be repeated is true even if the writes around it are in doubt.
		answers.error(p, "TRYAGAIN read not executed: the writes before it are in doubt")
	default:
		if !errors.Is(gc.Err, shardgroup.ErrUnknown) {
			c.s.log.Error("group answered with an error that says nothing about the outcome", "group", gc.t.id, "err", gc.Err)
		}
		c.s.stats.uncertain.Add(1)
		answers.error(p, reply.Uncertain)
	}
	return true
}

// confirms reports whether raft, too, says at this moment that leader leads t, as far as this node can know. A new leader's front end routes
// to the old one for a moment, which names the new one already: they would send a client to and fro until it gives up. Raft names
// nobody who does not know of it himself. Without parking nothing could wait until both agree.
func (c *conn) confirms(t *target, leader topology.NodeID) bool {
	return t.replica == nil || c.s.cfg.Load().ParkTimeout == 0 || c.leaderNow(t.id) == leader
}

// leaderNow is whom raft names, as it was when the run, or the round of settle, first asked. If it named another one for the second of two
// commands on a key than for the first, the second could be executed here while the first one waits or is sent elsewhere.
func (c *conn) leaderNow(id slot.GroupID) topology.NodeID {
	r := c.run
	leader, asked := r.leaders[id]
	if !asked {
		if r.leaders == nil {
			r.leaders = map[slot.GroupID]topology.NodeID{}
		}
		leader = c.s.b.LeaderNow(id)
		r.leaders[id] = leader
	}
	return leader
}

// movedTo is the address for MOVED if another node leads t, "" if a command must wait until that is certain.
func (c *conn) movedTo(t *target) string {
	if t.addr == "" || !c.confirms(t, t.leader) {
		return ""
	}
	return t.addr
}

// doubts reports whether one of the open commands waits because raft or its group contradicts rt. That may end with rt being right.
func (c *conn) doubts(open []int, rt *routes) bool {
	return slices.ContainsFunc(open, func(i int) bool {
		p := &c.run.cmds[i]
		t := rt.at(p.slot)
		return t.addr != "" || t.leading && c.run.calls[p.call].Err != nil
	})
}

// retries reports whether the leader in unchanged routes, this node, is to be asked once more by a command of call old: nobody was asked,
// or the group said that this node does not lead and raft says that it does. Not without a pause, nor for ever: a run counts its calls.
func (c *conn) retries(t *target, old *groupCall, again bool) bool {
	if !t.leading {
		return false
	}
	return old.parked || again && old.Err != nil && c.run.used < maxCalls && c.confirms(t, t.leader)
}

// maxCalls bounds the calls of a run beyond which none is retried by unchanged routes.
const maxCalls = 8 * maxRun

// reroute gathers the open commands into new calls by rt, or answers them with MOVED. It returns those that must
// wait for a leader. again says that they have waited before.
func (c *conn) reroute(open []int, rt *routes, again bool, answers late) (waiting []int) {
	r := c.run
	r.last = nil
	fresh := map[*target]*groupCall{}
	for _, i := range open {
		p := &r.cmds[i]
		old := r.calls[p.call]
		t := rt.at(p.slot)
		follower := old.follower && t.replica != nil
		switch {
		case rt != r.routes && (t.leading || follower), c.retries(t, old, again):
			gc := fresh[t]
			if gc == nil {
				gc = r.newCall(t, c.proto, follower && !t.leading)
				fresh[t] = gc
			}
			c.regather(p, old, gc)
		default:
			if addr := c.movedTo(t); addr != "" {
				c.elsewhere(p, addr, answers)
			} else {
				waiting = append(waiting, i)
			}
		}
	}
	r.routes = rt
	return waiting
}

// elsewhere answers a command whose group another node leads. One about the whole node is asked there anyway: its handler gets nothing.
func (c *conn) elsewhere(p *placed, addr string, answers late) {
	if p.spec.Home == command.Node {
		answers.add(p, func(*reply.Writer) {})
		return
	}
	c.learnTopology()
	answers.add(p, func(w *reply.Writer) { w.Moved(p.slot, addr) })
}

// regather moves p's op from a call that did not execute it to another.
func (c *conn) regather(p *placed, old, gc *groupCall) {
	op, read := old.Ops[p.at], old.Reads[p.at]
	gc.writes = gc.writes || !read
	p.at, p.call = len(gc.Ops), gc.number
	gc.Ops = append(gc.Ops, op)
	gc.Reads = append(gc.Reads, read)
}

// giveUp answers commands that waited in vain. None of them was applied. One about the whole node must not leave a group out because of
// hearsay.
func (c *conn) giveUp(open []int, rt *routes, answers late) {
	for _, i := range open {
		p := &c.run.cmds[i]
		if addr := c.hearsay(rt.at(p.slot), c.run.calls[p.call]); addr != "" && p.spec.Home != command.Node {
			c.elsewhere(p, addr, answers)
			continue
		}
		// Not LOADING, even if this node's replica is: clients then stay, and another node may know a leader.
		answers.error(p, reply.ClusterDown)
	}
}

// hearsay is the address of the node that leads t by the routes, or by the group if the routes name this node, though raft does not confirm
// it; "" if there is none. A node that stops has given its groups away, and cannot wait until all agree.
func (c *conn) hearsay(t *target, asked *groupCall) string {
	var other *shardgroup.NotLeaderError
	if t.leading && errors.As(asked.Err, &other) {
		return c.s.otherAddr(other.Leader)
	}
	return t.addr
}

// add makes p's reply.
func (l late) add(p *placed, write func(w *reply.Writer)) {
	write(&l.Out)
	l.Ends = append(l.Ends, len(l.Out.Buf))
	p.at, p.call = len(l.Ends)-1, l.number
}

func (l late) error(p *placed, text string) {
	l.add(p, func(w *reply.Writer) { w.Error(text) })
}

// learnTopology notes that the client is being told of the newest topology, so that it need not be nudged.
func (c *conn) learnTopology() {
	c.nudge = c.s.nudges.Load()
	c.noteMoved()
}
