package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
	"github.com/quorate/quorate/jepsen/wire"
	"github.com/quorate/quorate/placement/topology"
)

func memberFaults() []Fault {
	member := func(name, about string, needs Needs, inject func(context.Context, *env) (injury, error)) Fault {
		needs.Quorate = true
		return Fault{Name: name, Family: "membership", About: about, Needs: needs, inject: inject}
	}
	return []Fault{
		member("member", "a replica is removed from its group and comes back, empty", Needs{}, leaves(anyMember)),
		member("member-leader", "a group's leader is removed from it and comes back, empty", Needs{}, leaves(leadingMember)),
		member("member-partition", "a replica is removed while its node can't reach the others, and comes back", Needs{Network: true}, leavesCutOff),
		member("member-dead", "a replica is removed while its node is down, and comes back", Needs{}, leavesDead),
		member("member-swap", "a node without a replica of a group gets one, another one gives its up", Needs{Nodes: 4}, swap),
		member("member-cancel", "adding a replica to a node that is down is taken back", Needs{Nodes: 4}, cancelled),
	}
}

// group is a group as the cluster shows it, with the processes that hold and do not hold replicas.
type group struct {
	client.GroupStatus
	holders, others []*process.Node
	leader          *process.Node
	ids             map[*process.Node]topology.NodeID
}

// aGroup chooses a group that has a leader.
func (e *env) aGroup(ctx context.Context) (g group, err error) {
	s, err := e.cluster.Status(ctx)
	if err != nil || len(s.Groups) == 0 {
		return g, fmt.Errorf("%w: %w", errNotNow, err)
	}
	g = group{GroupStatus: s.Groups[e.random(len(s.Groups))], ids: map[*process.Node]topology.NodeID{}}
	for _, p := range e.cluster.Nodes() {
		i := slices.IndexFunc(s.Nodes, func(n client.NodeStatus) bool { return n.Client == p.Addr() })
		if i < 0 {
			continue
		}
		id := s.Nodes[i].ID
		g.ids[p] = id
		switch {
		case !slices.ContainsFunc(g.Replicas, func(r client.ReplicaStatus) bool { return r.Node == id }):
			g.others = append(g.others, p)
		default:
			g.holders = append(g.holders, p)
		}
		if g.Leader == id {
			g.leader = p
		}
	}
	if g.leader == nil || len(g.holders) < 3 {
		return g, fmt.Errorf("%w: group %d has no leader, or too few replicas", errNotNow, g.ID)
	}
	return g, nil
}

func (e *env) oneOf(nodes []*process.Node) *process.Node { return nodes[e.random(len(nodes))] }

func anyMember(e *env, g group) *process.Node     { return e.oneOf(g.holders) }
func leadingMember(_ *env, g group) *process.Node { return g.leader }

// bystander is a member that does not lead.
func bystander(e *env, g group) *process.Node {
	return e.oneOf(slices.DeleteFunc(slices.Clone(g.holders), func(p *process.Node) bool { return p == g.leader }))
}

// memberOrder is a change of members as client.Admin does it.
type memberOrder = func(*client.Admin, context.Context, slot.GroupID, string) error

// changed gives an order until it is accepted and waits until it is done; an order that has been carried out before is no error.
func (e *env) changed(g group, n *process.Node, do memberOrder, want bool, avoid ...*process.Node) error {
	id := g.ids[n]
	ctx, cancel := context.WithTimeout(context.Background(), e.bound)
	defer cancel()
	last := errors.New("nobody answers")
	for ctx.Err() == nil {
		a, err := e.cluster.Admin(ctx, avoid...)
		if err == nil {
			err = do(a, ctx, g.ID, string(id))
			if settled, err2 := a.Settled(ctx, g.ID); err2 != nil {
				err = err2
			} else if slices.ContainsFunc(settled.Replicas, func(r client.ReplicaStatus) bool { return r.Node == id }) == want {
				a.Close()
				return nil
			}
			a.Close()
		}
		if err != nil {
			last = err
		}
		sleep.For(ctx, 100*time.Millisecond)
	}
	return fmt.Errorf("%w within %v: node %s in group %d, wanted: %v: %w", ErrNotWhole, e.bound, id.Short(), g.ID, want, last)
}

// depart is an injury of a replica that has left; it comes back.
func (e *env) depart(g group, n *process.Node) injury {
	left := fmt.Sprintf("%s left group %d", n.Name(), g.ID)
	return injury{
		victim: fmt.Sprintf("group %d on %s", g.ID, n.Name()),
		bit:    func() string { return left },
		back:   func() error { return e.changed(g, n, (*client.Admin).AddReplica, true) },
		late:   func() string { return "it came back" },
	}
}

func leaves(whom func(*env, group) *process.Node) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		g, err := e.aGroup(ctx)
		if err != nil {
			return injury{}, err
		}
		n := whom(e, g)
		return e.depart(g, n), e.changed(g, n, (*client.Admin).RemoveReplica, false)
	}
}

// leavesCutOff removes a replica that can't hear of it, and lets it wait for its end of the partition.
func leavesCutOff(ctx context.Context, e *env) (injury, error) {
	g, err := e.aGroup(ctx)
	if err != nil {
		return injury{}, err
	}
	n := bystander(e, g)
	w, lanes := e.cluster.Network().Wire(), isolated([]int{n.Index()}, len(e.cluster.Nodes()))
	before := harmed(w, lanes)
	for _, l := range lanes {
		w.Set(l.from, l.to, wire.Condition{Cut: true})
	}
	in := e.depart(g, n)
	in.heal = func() error { good(w, lanes); return nil }
	left := in.bit
	in.bit = func() string { return join(left(), packets(before, harmed(w, lanes))) }
	return in, e.changed(g, n, (*client.Admin).RemoveReplica, false, n)
}

func leavesDead(ctx context.Context, e *env) (injury, error) {
	g, err := e.aGroup(ctx)
	if err != nil {
		return injury{}, err
	}
	n := bystander(e, g)
	n.Kill()
	in := e.depart(g, n)
	in.heal = func() error { return startAll([]*process.Node{n}) }
	return in, e.changed(g, n, (*client.Admin).RemoveReplica, false)
}

// swap moves a replica for good: the group has as many as before.
func swap(ctx context.Context, e *env) (injury, error) {
	g, err := e.aGroup(ctx)
	if err != nil {
		return injury{}, err
	}
	if len(g.others) == 0 {
		return injury{}, errNotNow
	}
	comes, goes := e.oneOf(g.others), e.oneOf(g.holders)
	in := injury{
		victim: fmt.Sprintf("group %d from %s to %s", g.ID, goes.Name(), comes.Name()),
		bit:    func() string { return fmt.Sprintf("%s joined group %d, %s left", comes.Name(), g.ID, goes.Name()) },
		heal:   func() error { return nil },
	}
	if err := e.changed(g, comes, (*client.Admin).AddReplica, true); err != nil {
		return in, err
	}
	return in, e.changed(g, goes, (*client.Admin).RemoveReplica, false)
}

// cancelled begins to add a replica to a node that does not answer.
func cancelled(ctx context.Context, e *env) (injury, error) {
	g, err := e.aGroup(ctx)
	if err != nil {
		return injury{}, err
	}
	if len(g.others) == 0 {
		return injury{}, errNotNow
	}
	n := e.oneOf(g.others)
	n.Kill()
	in := injury{
		victim: fmt.Sprintf("group %d on %s", g.ID, n.Name()),
		back: func() error {
			return errors.Join(e.changed(g, n, (*client.Admin).RemoveReplica, false), startAll([]*process.Node{n}))
		},
	}
	a, err := e.cluster.Admin(ctx)
	if err != nil {
		return in, fmt.Errorf("%w: %w", errNotNow, err)
	}
	defer a.Close()
	err = a.AddReplica(ctx, g.ID, string(g.ids[n]))
	in.bit = func() string {
		if s, err := e.cluster.Status(ctx); err == nil {
			for _, x := range s.Groups {
				if x.ID == g.ID && x.Joining == g.ids[n] {
					return n.Name() + " was joining in vain"
				}
			}
		}
		return ""
	}
	return in, err
}
