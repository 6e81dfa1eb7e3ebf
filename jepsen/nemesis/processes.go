package nemesis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
)

func processFaults() []Fault {
	return []Fault{
		{Name: "kill", Family: "kill -9", About: "kill -9 of one node", inject: kill(one)},
		{Name: "kill-leader", Family: "kill -9", About: "kill -9 of a group's leader", inject: kill(leader)},
		{Name: "kill-follower", Family: "kill -9", About: "kill -9 of a node that does not lead a group", inject: kill(follower)},
		{Name: "kill-majority", Family: "kill -9", About: "kill -9 of more than half of the nodes at once", inject: kill(majority)},
		{Name: "kill-two", Family: "kill -9", About: "kill -9 of two of five nodes at once", Needs: Needs{Nodes: 5}, inject: kill(two)},
		{Name: "kill-all", Family: "kill -9", About: "kill -9 of all nodes at once", inject: kill(everybody)},
		{Name: "kill-placement", Family: "placement loss", About: "kill -9 of placement's leader", Needs: Needs{Quorate: true}, inject: kill(placement)},
		{Name: "pause", Family: "pause", About: "SIGSTOP of one node", inject: pause(one)},
		{Name: "pause-leader", Family: "pause", About: "SIGSTOP of a group's leader", inject: pause(leader)},
		{Name: "pause-majority", Family: "pause", About: "SIGSTOP of more than half of the nodes", inject: pause(majority)},
		{Name: "pause-placement", Family: "placement loss", About: "SIGSTOP of placement's leader", Needs: Needs{Quorate: true}, inject: pause(placement)},
		{Name: "stutter", Family: "pause", About: "a group's leader is stopped for 0.1 to 0.9 s again and again", inject: stutter},
		{Name: "restart", Family: "restart", About: "SIGTERM and start of each node in turn", inject: roll},
	}
}

// choice picks victims.
type choice func(ctx context.Context, e *env) ([]*process.Node, error)

func one(_ context.Context, e *env) ([]*process.Node, error) { return []*process.Node{e.node()}, nil }

func two(_ context.Context, e *env) ([]*process.Node, error) { return e.some(2), nil }

func majority(_ context.Context, e *env) ([]*process.Node, error) {
	return e.some(len(e.cluster.Nodes())/2 + 1), nil
}

func everybody(_ context.Context, e *env) ([]*process.Node, error) {
	return e.some(len(e.cluster.Nodes())), nil
}

func leader(ctx context.Context, e *env) ([]*process.Node, error) {
	n, err := e.cluster.LeaderOf(ctx, e.probe())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotNow, err)
	}
	return []*process.Node{n}, nil
}

func follower(ctx context.Context, e *env) ([]*process.Node, error) {
	leads, err := leader(ctx, e)
	if err != nil {
		return nil, err
	}
	for _, n := range e.some(len(e.cluster.Nodes())) {
		if n != leads[0] {
			return []*process.Node{n}, nil
		}
	}
	return nil, errNotNow
}

func placement(ctx context.Context, e *env) ([]*process.Node, error) {
	n, err := e.cluster.PlacementLeader(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotNow, err)
	}
	return []*process.Node{n}, nil
}

func names(nodes []*process.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Name())
	}
	return strings.Join(out, " ")
}

func kill(whom choice) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		victims, err := whom(ctx, e)
		if err != nil {
			return injury{}, err
		}
		// Who is down already is another fault's, which knows when it may start.
		victims = slices.DeleteFunc(victims, func(n *process.Node) bool { return n.Pid() == 0 })
		if len(victims) == 0 {
			return injury{}, errNotNow
		}
		for _, n := range victims {
			n.Kill()
		}
		return injury{victim: names(victims), heal: func() error { return startAll(victims) }, bit: func() string { return dead(victims) }}, nil
	}
}

// startAll starts those that are down: another fault at the same time may have started some.
func startAll(nodes []*process.Node) error {
	var errs []error
	for _, n := range nodes {
		if n.Pid() == 0 {
			errs = append(errs, n.Start())
		}
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

func pause(whom choice) func(context.Context, *env) (injury, error) {
	return func(ctx context.Context, e *env) (injury, error) {
		victims, err := whom(ctx, e)
		if err != nil {
			return injury{}, err
		}
		for _, n := range victims {
			n.Pause()
		}
		return injury{
			victim: names(victims),
			heal: func() error {
				for _, n := range victims {
					n.Resume()
				}
				return nil
			},
			bit: func() string { return stopped(victims) },
		}, nil
	}
}

func stopped(nodes []*process.Node) string {
	for _, n := range nodes {
		if state(n) != 'T' {
			return ""
		}
	}
	return fmt.Sprintf("%d processes stood still", len(nodes))
}

// state is what the kernel shows for the process, which is its first thread: T is stopped, D waits for the disk.
func state(n *process.Node) byte { return stateIn(fmt.Sprintf("/proc/%d/stat", n.Pid())) }

// still reports whether all threads of the process are stopped: they don't stop at the same time.
func still(n *process.Node) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", n.Pid())) // the pattern is good
	return len(threads) > 0 && !slices.ContainsFunc(threads, func(stat string) bool { return stateIn(stat) != 'T' })
}

func stateIn(file string) byte {
	stat, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if rest == "" {
		return 0
	}
	return rest[0]
}

func stutter(ctx context.Context, e *env) (injury, error) {
	victims, err := leader(ctx, e)
	if err != nil {
		return injury{}, err
	}
	n, stops := victims[0], 0
	return injury{
		victim: n.Name(),
		act: func(ctx context.Context) {
			for ctx.Err() == nil {
				n.Pause()
				sleep.For(ctx, e.between([2]time.Duration{100 * time.Millisecond, 900 * time.Millisecond}))
				if state(n) == 'T' {
					stops++
				}
				n.Resume()
				sleep.For(ctx, e.between([2]time.Duration{50 * time.Millisecond, 300 * time.Millisecond}))
			}
		},
		heal: func() error { n.Resume(); return nil },
		bit: func() string {
			if stops == 0 {
				return ""
			}
			return fmt.Sprintf("the process stood still %d times", stops)
		},
	}, nil
}

// stopping bounds the wait for a process that was asked to end.
const stopping = 30 * time.Second

// amidst is how long a fault waits for the cluster to become whole beside another fault, which may forbid it.
const amidst = 5 * time.Second

// wholeAmid waits until the cluster is whole, or not for long if other faults last.
func (e *env) wholeAmid(ctx context.Context) error {
	if !e.amid {
		return e.whole(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, amidst)
	defer cancel()
	return e.whole(ctx)
}

func roll(ctx context.Context, e *env) (injury, error) {
	n := 0
	in := injury{victim: "all in turn", bit: func() string { return fmt.Sprintf("%d processes were replaced", n) }}
	in.heal = func() error { return startAll(e.cluster.Nodes()) }
	for _, node := range e.cluster.Nodes() {
		stop, cancel := context.WithTimeout(ctx, stopping)
		err := node.Terminate(stop)
		cancel()
		if err = errors.Join(err, startAll([]*process.Node{node})); err == nil {
			err = e.wholeAmid(ctx)
		}
		n++
		if e.amid && errors.Is(err, ErrNotWhole) {
			return in, nil // the other fault forbids it; the next node stays
		}
		if err != nil {
			return in, err
		}
	}
	return in, nil
}
