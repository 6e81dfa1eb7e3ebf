package sim

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/fabric"
	"github.com/quorate/quorate/placement/topology"
)

const (
	// returning bounds how long the end of a change of members tries to take it back; what it does not come to stays so.
	returning = 20 * time.Second
	// orderTimeout is after what time a node that was given an order is given up.
	orderTimeout = 2 * time.Second
	// lateOrders is how long an order whose answer nobody waited for may still take effect.
	lateOrders = 15 * time.Second
	// fewestMembers is how many a group keeps.
	fewestMembers = 2
)

// memberOrder is a change of members as client.Admin does it.
type memberOrder = func(*client.Admin, context.Context, slot.GroupID, string) error

// members has a node join a group, or leave one (mostly the leader) and then it or another one join. The node may be down
// meanwhile, or cut off.
func (n *nemesis) members() wound {
	id, m := n.aGroup(), n.c.known()
	if m == nil {
		return wound{}
	}
	g := m.GroupByID(id)
	var in, out []*server
	for _, s := range n.others(nil) {
		if g.Holds(n.c.idOf(s)) {
			in = append(in, s)
		} else {
			out = append(out, s)
		}
	}
	few := len(in) <= fewestMembers
	switch {
	case g.Joining != "" || g.Leaving != "" || few && len(out) == 0:
		return wound{} // one change at a time
	case few || len(out) > 0 && n.rng.IntN(3) == 0:
		return n.joins(id, out[0])
	}
	leaves := in[0]
	if l := n.c.leader(id); slices.Contains(in, l) && n.rng.IntN(2) == 0 {
		leaves = l
	}
	comes := append(out, leaves)[0]
	if n.rng.IntN(2) == 0 {
		comes = leaves
	}
	return n.leaves(id, leaves, comes)
}

// joins has a node become a member: for good, or it leaves again.
func (n *nemesis) joins(g slot.GroupID, s *server) wound {
	how, over := n.meanwhile(s)
	began := n.begin(g, s, true)
	stays := n.rng.IntN(2) == 0
	return wound{
		what: fmt.Sprintf("%s, %s, joins group %d", s.host, how, g), lasts: n.changing(), bit: func() bool { return n.holds(g, s) },
		undo: func() {
			over()
			if began.end(); !stays {
				n.begin(g, s, false).wait()
			}
		},
	}
}

// leaves has a node cease to be a member; in the end another one joins, or it itself, empty.
func (n *nemesis) leaves(g slot.GroupID, s, comes *server) wound {
	how, over := n.meanwhile(s)
	began := n.begin(g, s, false)
	return wound{
		what: fmt.Sprintf("%s, %s, leaves group %d, %s comes", s.host, how, g, comes.host), lasts: n.changing(),
		bit: func() bool { return !n.holds(g, s) },
		undo: func() {
			over()
			began.end()
			n.begin(g, comes, true).wait()
		},
	}
}

func (n *nemesis) changing() time.Duration { return n.between(time.Second, 40*time.Second) }

// meanwhile is what happens to a node while it joins or leaves.
func (n *nemesis) meanwhile(s *server) (how string, over func()) {
	switch n.rng.IntN(4) {
	case 0:
		s.hold()
		if _, p := s.now(); p != nil {
			s.die(p, false)
		}
		return "down", s.release
	case 1:
		return "cut off", n.c.net.Add(fabric.Rule{Effect: fabric.Lose, Classes: n.classes(), On: about(s.host)})
	}
	return "up", func() {}
}

func (n *nemesis) holds(g slot.GroupID, s *server) bool {
	return n.c.known().GroupByID(g).Holds(n.c.idOf(s))
}

// change of members that was ordered.
type change struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// begin gives the order until it is carried out, to one node after the other, the one that it is about last.
func (n *nemesis) begin(g slot.GroupID, s *server, joins bool) change {
	id, do := n.c.idOf(s), memberOrder((*client.Admin).RemoveReplica)
	if joins {
		do = (*client.Admin).AddReplica
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.c.plan.Brief)
	c := change{cancel, make(chan struct{})}
	n.open.Go(func() {
		defer close(c.done)
		for i := s.i + 1; !n.c.changed(g, id, joins) && ctx.Err() == nil; i++ {
			_ = n.c.order(ctx, n.c.nodes[i%len(n.c.nodes)], func(a *client.Admin) error { return do(a, ctx, g, string(id)) })
			await(c.done, pollPause)
		}
	})
	return c
}

// end gives up.
func (c change) end() {
	c.cancel()
	<-c.done
}

// wait gives up when it has taken too long.
func (c change) wait() {
	timer := time.NewTimer(returning)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	}
	c.end()
}

// changed reports whether a node is a member of a group, or none, as wanted, and nobody joins or leaves.
func (c *cluster) changed(g slot.GroupID, id topology.NodeID, want bool) bool {
	x := c.known().GroupByID(g)
	return x.Joining == "" && x.Leaving == "" && slices.Contains(x.Members, id) == want
}

// order has a node do what an operator wants.
func (c *cluster) order(ctx context.Context, s *server, do func(*client.Admin) error) error {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	a, err := client.NewAdmin(ctx, []string{s.client()}, client.Options{
		Timeout: orderTimeout, Dial: func(ctx context.Context, addr string) (net.Conn, error) { return c.net.Dial(ctx, "clients", addr) },
	})
	if err != nil {
		return err
	}
	defer a.Close()
	return do(a)
}

// compare has a node compare the replicas of a group, as an operator may at any time.
func (c *cluster) compare(s *server, g slot.GroupID) {
	ctx := context.Background()
	_ = c.order(ctx, s, func(a *client.Admin) error {
		_, err := a.Digests(ctx, g)
		return err // there may be no leader
	})
}

// changing says which group still changes its members; "" if none does.
func (c *cluster) changing() string {
	m := c.known()
	for i := range m.Groups {
		switch g := &m.Groups[i]; {
		case g.Joining != "":
			return fmt.Sprintf("%s still joins group %d", c.trace.hostOf(g.Joining), g.ID)
		case g.Leaving != "":
			return fmt.Sprintf("%s still leaves group %d", c.trace.hostOf(g.Leaving), g.ID)
		}
	}
	return ""
}

// steady returns what says what still changes in the map, or may because of an order that is under way; "" if nothing does.
func (c *cluster) steady() func() string {
	var epoch uint64
	var since time.Time
	ordered := slices.ContainsFunc(c.plan.Families, func(f string) bool { return f == "members" || f == "memory" || f == "late-snapshot" || f == "learner" })
	return func() string {
		why := cmp.Or(c.changing(), c.roomy())
		if e := c.known().Epoch; e != epoch {
			epoch, since = e, time.Now()
		}
		if why == "" && ordered && time.Since(since) < lateOrders {
			return "the map has just changed"
		}
		return why
	}
}

// left says which node still has a replica of a group that it has left; "" if none has.
func (c *cluster) left(m *topology.Map) string {
	for i := range m.Groups {
		g := &m.Groups[i]
		for _, s := range c.nodes {
			if !g.Holds(c.idOf(s)) && s.group(g.ID) != nil {
				return fmt.Sprintf("%s still has a replica of group %d", s.host, g.ID)
			}
		}
	}
	return ""
}
