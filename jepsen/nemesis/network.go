package nemesis

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
	"github.com/quorate/quorate/jepsen/wire"
)

func networkFaults() []Fault {
	cable := Needs{Network: true}
	partition := func(name, about string, needs Needs, inject func(context.Context, *env) (injury, error)) Fault {
		needs.Network = true
		return Fault{Name: name, Family: "partition", About: about, Needs: needs, inject: inject}
	}
	slow := func(name, about string, inject func(context.Context, *env) (injury, error)) Fault {
		return Fault{Name: name, Family: "slow net", About: about, Needs: cable, inject: inject}
	}
	return []Fault{
		partition("isolate", "one node can't reach its peers, clients reach it", Needs{}, split(one, isolated)),
		partition("isolate-leader", "a group's leader can't reach its peers, clients reach it", Needs{}, split(leader, isolated)),
		partition("deaf", "one node hears no peer, its peers hear it", Needs{}, split(one, deaf)),
		partition("mute", "no peer hears one node, it hears them", Needs{}, split(one, mute)),
		partition("mute-leader", "no peer hears a group's leader, it hears them", Needs{}, split(leader, mute)),
		partition("ring", "each node loses the way to the next one", Needs{}, split(one, ring)),
		partition("halves", "a majority and a minority can't reach each other", Needs{}, split(majority, halves)),
		partition("bridge", "two halves that only one node can reach", Needs{Nodes: 5}, split(majority, bridge)),
		partition("flapping", "a group's leader is cut off from its peers and back again, several times a second to every two", Needs{}, flapping),
		partition("cut", "one node's cables are pulled, clients' too", Needs{}, cut(one)),
		partition("cut-leader", "the cables of a group's leader are pulled, clients' too", Needs{}, cut(leader)),
		{Name: "isolate-placement", Family: "placement loss", About: "placement's leader can't reach its peers", Needs: Needs{Network: true, Quorate: true}, inject: split(placement, isolated)},
		{Name: "apart", Family: "placement loss", About: "placement's voters and all other nodes can't reach each other", Needs: Needs{Network: true, Quorate: true, Nodes: 5}, inject: split(voters, halves)},
		{Name: "corrupt-wire", Family: "corruption-wire", About: "a bit flips in one of fifty packets between the nodes, and TCP's checksum does not notice", Needs: Needs{Network: true, Quorate: true}, inject: flips},
		slow("slow", "all links are 5 to 100 ms late", bad(everybody, isolated, wire.Condition{Delay: 5 * time.Millisecond, Jitter: 95 * time.Millisecond})),
		slow("slow-leader", "the links of a group's leader are 100 to 400 ms late, both ways", bad(leader, isolated, wire.Condition{Delay: 100 * time.Millisecond, Jitter: 300 * time.Millisecond})),
		slow("slow-return", "what peers send to a group's leader is 500 ms late", bad(leader, deaf, wire.Condition{Delay: 500 * time.Millisecond})),
		slow("lossy", "every tenth packet on all links is lost", bad(everybody, isolated, wire.Condition{Loss: 0.1})),
		slow("lossy-leader", "three of ten packets from and to a group's leader are lost", bad(leader, isolated, wire.Condition{Loss: 0.3})),
		slow("reorder", "packets overtake each other by up to 50 ms on all links, one in a hundred is lost", bad(everybody, isolated, wire.Condition{Jitter: 50 * time.Millisecond, Loss: 0.01})),
	}
}

// damagedFrames counts what a node did not accept from its peers.
const damagedFrames = "quorate_peer_damaged_frames_total"

// lane is one direction between two nodes, by index.
type lane struct{ from, to int }

// shape chooses what is hurt, for some victims of n nodes.
type shape func(victims []int, n int) []lane

func contains(of []int, i int) bool {
	for _, v := range of {
		if v == i {
			return true
		}
	}
	return false
}

// deaf is all that comes to the victims, from everybody.
func deaf(victims []int, n int) (out []lane) {
	for _, v := range victims {
		for i := range n {
			if i != v {
				out = append(out, lane{i, v})
			}
		}
	}
	return out
}

// mute is all that comes from the victims.
func mute(victims []int, n int) (out []lane) {
	for _, l := range deaf(victims, n) {
		out = append(out, lane{l.to, l.from})
	}
	return out
}

func isolated(victims []int, n int) []lane { return append(deaf(victims, n), mute(victims, n)...) }

func ring(_ []int, n int) (out []lane) {
	for i := range n {
		out = append(out, lane{i, (i + 1) % n})
	}
	return out
}

// halves is everything between the victims and the others.
func halves(victims []int, n int) (out []lane) {
	for i := range n {
		for k := range n {
			if contains(victims, i) != contains(victims, k) {
				out = append(out, lane{i, k})
			}
		}
	}
	return out
}

// bridge is halves, but the first victim reaches everybody.
func bridge(victims []int, n int) (out []lane) {
	for _, l := range halves(victims[1:], n) {
		if l.from != victims[0] && l.to != victims[0] {
			out = append(out, l)
		}
	}
	return out
}

func indexes(nodes []*process.Node) (out []int) {
	for _, n := range nodes {
		out = append(out, n.Index())
	}
	return out
}

// voters are the nodes with a vote in placement.
func voters(ctx context.Context, e *env) (out []*process.Node, err error) {
	s, err := e.cluster.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotNow, err)
	}
	for _, n := range s.Nodes {
		for _, p := range e.cluster.Nodes() {
			if n.Voter && n.Client == p.Addr() {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// split lets no packet pass on some lanes. Clients come another way and are not touched.
func split(whom choice, what shape) func(context.Context, *env) (injury, error) {
	return bad(whom, what, wire.Condition{Cut: true})
}

// bad changes some lanes.
func bad(whom choice, what shape, c wire.Condition) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		victims, err := whom(ctx, e)
		if err != nil {
			return injury{}, err
		}
		w := e.cluster.Network().Wire()
		lanes := what(indexes(victims), len(e.cluster.Nodes()))
		before := harmed(w, lanes)
		for _, l := range lanes {
			w.Set(l.from, l.to, c)
		}
		return injury{
			victim: names(victims),
			heal:   func() error { good(w, lanes); return nil },
			bit:    func() string { return packets(before, harmed(w, lanes)) },
		}, nil
	}
}

func good(w *wire.Wire, lanes []lane) {
	for _, l := range lanes {
		w.Set(l.from, l.to, wire.Condition{})
	}
}

func harmed(w *wire.Wire, lanes []lane) (sum wire.Counts) {
	for _, l := range lanes {
		c := w.Counts(l.from, l.to)
		sum.Lost += c.Lost
		sum.Late += c.Late
		sum.Flipped += c.Flipped
	}
	return sum
}

func packets(before, after wire.Counts) (out string) {
	if n := after.Lost - before.Lost; n > 0 {
		out = fmt.Sprintf("%d packets were lost", n)
	}
	if n := after.Late - before.Late; n > 0 {
		out = join(out, fmt.Sprintf("%d packets were late", n))
	}
	return out
}

// flips damages what the nodes say to each other. It shows by the frames that they did not accept, which each of them counts.
func flips(ctx context.Context, e *env) (injury, error) {
	in, err := bad(everybody, isolated, wire.Condition{Flip: 0.02})(ctx, e)
	if err != nil {
		return in, err
	}
	w, lanes := e.cluster.Network().Wire(), isolated(indexes(e.cluster.Nodes()), len(e.cluster.Nodes()))
	flipped, refused := harmed(w, lanes).Flipped, e.total(ctx, damagedFrames)
	in.bit = func() string {
		n, m := harmed(w, lanes).Flipped-flipped, e.total(ctx, damagedFrames)-refused
		if n == 0 || m <= 0 {
			return ""
		}
		return fmt.Sprintf("%d packets were damaged, %.0f frames not accepted", n, m)
	}
	return in, nil
}

// flapping leaves a cut for longer than an election takes, or for shorter.
func flapping(ctx context.Context, e *env) (injury, error) {
	victims, err := leader(ctx, e)
	if err != nil {
		return injury{}, err
	}
	w, lanes := e.cluster.Network().Wire(), isolated(indexes(victims), len(e.cluster.Nodes()))
	before := harmed(w, lanes)
	return injury{
		victim: names(victims),
		act: func(ctx context.Context) {
			for ctx.Err() == nil {
				for _, l := range lanes {
					w.Set(l.from, l.to, wire.Condition{Cut: true})
				}
				sleep.For(ctx, e.between([2]time.Duration{100 * time.Millisecond, 1500 * time.Millisecond}))
				good(w, lanes)
				sleep.For(ctx, e.between([2]time.Duration{100 * time.Millisecond, 800 * time.Millisecond}))
			}
		},
		heal: func() error { good(w, lanes); return nil },
		bit:  func() string { return packets(before, harmed(w, lanes)) },
	}, nil
}

// cut takes the node from clients, too.
func cut(whom choice) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		victims, err := whom(ctx, e)
		if err != nil {
			return injury{}, err
		}
		n, cables := victims[0], e.cluster.Network()
		return injury{
			victim: n.Name(),
			heal:   func() error { return cables.Heal(n.Index()) },
			bit:    func() string { return unreachable(n.Addr()) },
		}, cables.Cut(n.Index())
	}
}

func unreachable(addr string) string {
	conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
	if err != nil {
		return "the node could not be reached"
	}
	conn.Close()
	return ""
}
