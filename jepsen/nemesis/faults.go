package nemesis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/process"
)

// Fault is one way to hurt a cluster.
type Fault struct {
	Name  string
	About string
	// Network faults need every node to run in a network namespace of its own.
	Network bool
	// Shift is how far this fault needs the nodes' clocks to be apart from the start.
	Shift time.Duration

	inject func(ctx context.Context, e *env) (injury, error)
}

// injury is a fault under way. An injury whose injection failed half way still has heal.
type injury struct {
	victim string
	heal   func() error
	// bit says how the fault shows while it lasts, "" if it does not.
	bit func() string
}

// Faults are all of them.
func Faults() []Fault {
	return []Fault{
		{Name: "kill", About: "kill -9 of one node", inject: killSome(func(int) int { return 1 })},
		{Name: "kill-majority", About: "kill -9 of more than half of the nodes at once", inject: killSome(func(n int) int { return n/2 + 1 })},
		{Name: "kill-all", About: "kill -9 of all nodes at once", inject: killSome(func(n int) int { return n })},
		{Name: "pause", About: "SIGSTOP of one node", inject: pause},
		{Name: "restart", About: "SIGTERM and start of each node in turn", inject: roll},
		{Name: "transfer", About: "leadership handed to random nodes", inject: transfer},
		{Name: "clock", About: "nodes' clocks 20 s apart from the start, leadership handed round", Shift: 20 * time.Second, inject: transfer},
		{Name: "isolate", About: "one node can't reach its peers, clients reach it", Network: true, inject: partition(isolated)},
		{Name: "deaf", About: "one node hears no peer, its peers hear it", Network: true, inject: partition(deaf)},
		{Name: "mute", About: "no peer hears one node, it hears them", Network: true, inject: partition(mute)},
		{Name: "ring", About: "each node loses the way to the next one", Network: true, inject: partition(ring)},
		{Name: "cut", About: "one node's cable is pulled", Network: true, inject: cut},
	}
}

// Named finds faults; "none" is no fault, "all" is every one that the network allows (clock apart, as it changes the start).
func Named(names []string, network bool) (out []Fault, err error) {
	for _, name := range names {
		found := name == "none"
		for _, f := range Faults() {
			if f.Name == name || name == "all" && f.Shift == 0 && (network || !f.Network) {
				out, found = append(out, f), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no nemesis is called %q: see quorate jepsen list", name)
		}
	}
	for _, f := range out {
		if f.Network && !network {
			return nil, fmt.Errorf("nemesis %s needs network namespaces: add --network (root, iproute2 and nftables)", f.Name)
		}
	}
	return out, nil
}

func killSome(count func(nodes int) int) func(context.Context, *env) (injury, error) {
	return func(_ context.Context, e *env) (injury, error) {
		all := e.cluster.Nodes()
		var victims []*process.Node
		var names []string
		for _, i := range e.rng.Perm(len(all))[:count(len(all))] {
			victims, names = append(victims, all[i]), append(names, all[i].Addr())
		}
		for _, n := range victims {
			n.Kill()
		}
		return injury{victim: strings.Join(names, " "), heal: func() error { return startAll(victims) }, bit: func() string { return dead(victims) }}, nil
	}
}

func startAll(nodes []*process.Node) error {
	var errs []error
	for _, n := range nodes {
		errs = append(errs, n.Start())
	}
	return errors.Join(errs...)
}

func dead(nodes []*process.Node) string {
	for _, n := range nodes {
		if n.Pid() != 0 {
			return ""
		}
	}
	return fmt.Sprintf("%d processes were gone", len(nodes))
}

func pause(_ context.Context, e *env) (injury, error) {
	n := e.node()
	n.Pause()
	return injury{victim: n.Addr(), heal: func() error { n.Resume(); return nil }, bit: func() string { return stopped(n) }}, nil
}

// stopped looks at the state that the kernel shows for the process: T is stopped.
func stopped(n *process.Node) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.Pid()))
	if err != nil {
		return ""
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	if !strings.HasPrefix(state, "T") {
		return ""
	}
	return "the process stood still"
}

func roll(ctx context.Context, e *env) (injury, error) {
	n := 0
	in := injury{victim: "all in turn", bit: func() string { return fmt.Sprintf("%d processes were replaced", n) }}
	for _, node := range e.cluster.Nodes() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := node.Terminate(ctx)
		cancel()
		if err = errors.Join(err, node.Start()); err == nil {
			err = e.whole(ctx)
		}
		if err != nil {
			return in, err
		}
		n++
	}
	return in, nil
}

// handovers is how often leadership of a random group is handed over in one go.
const handovers = 6

func transfer(ctx context.Context, e *env) (injury, error) {
	in := injury{victim: "leaders", bit: func() string { return "" }}
	a, err := client.NewAdmin(ctx, e.cluster.Addrs(), client.Options{})
	if err != nil {
		return in, err
	}
	defer a.Close()
	s, err := a.Status(ctx)
	if err != nil || len(s.Groups) == 0 {
		return in, err
	}
	for range handovers {
		g := s.Groups[e.rng.IntN(len(s.Groups))]
		to := g.Replicas[e.rng.IntN(len(g.Replicas))].Node
		// A transfer to the leader itself, or while another one is under way, is refused: that is part of the game.
		_ = a.Transfer(ctx, g.ID, string(to))
	}
	return in, nil
}
