package resp

import (
	"errors"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm/command"
	"github.com/quorate/quorate/fsm/reply"
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
	for len(open) > 0 {
		rt := c.s.routes.Load()
		first := r.used
		waiting := c.reroute(open, rt, answers)
		c.ask(first)
		open = append(waiting, c.unanswered(first, answers)...)
		slices.Sort(open)
		if len(open) > 0 && !c.s.awaitChange(rt, deadline) {
			c.giveUp(open, answers)
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
		addr := c.s.routes.Load().clientAddr(other.Leader)
		if addr == "" || other.Leader == string(c.s.b.Self()) {
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

// reroute gathers the open commands into new calls by rt, or answers them with MOVED. It returns those that must
// wait for a leader.
func (c *conn) reroute(open []int, rt *routes, answers late) (waiting []int) {
	r := c.run
	r.last = nil
	fresh := map[*target]*groupCall{}
	for _, i := range open {
		p := &r.cmds[i]
		old := r.calls[p.call]
		t := rt.at(p.slot)
		follower := old.follower && t.replica != nil
		switch {
		case rt != r.routes && (t.leading || follower):
			gc := fresh[t]
			if gc == nil {
				gc = r.newCall(t, c.proto, follower && !t.leading)
				fresh[t] = gc
			}
			c.regather(p, old, gc)
		case !t.leading && t.addr != "":
			c.elsewhere(p, t.addr, answers)
		default:
			waiting = append(waiting, i)
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

// giveUp answers commands whose group had no leader for too long. None of them was applied.
func (c *conn) giveUp(open []int, answers late) {
	for _, i := range open {
		// Not LOADING, even if this node's replica is: clients then stay, and another node may know a leader.
		answers.error(&c.run.cmds[i], reply.ClusterDown)
	}
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
