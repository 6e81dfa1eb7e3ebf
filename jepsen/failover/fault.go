package failover

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/jepsen/process"
)

// Fault is one way to hurt a cluster. Inject hurts victim (or all) and calls struck when that is done or, for a fault that
// takes its time, when it begins; Heal makes the cluster whole again.
type Fault struct {
	Name string
	// Victim picks the node to hurt, given the leader of the probe key; nil is that leader.
	Victim func(ctx context.Context, c *process.Cluster, leader *process.Node) (*process.Node, error)
	Inject func(c *process.Cluster, victim *process.Node, struck func()) error
	Heal   func(c *process.Cluster, victim *process.Node) error
	// Network faults need the cluster to run in network namespaces.
	Network bool
}

// Faults are all of them, in the order in which they are run.
func Faults() []Fault {
	return []Fault{
		{Name: "kill -9 of a leader", Inject: kill, Heal: restart},
		{Name: "kill -9 of placement's leader", Victim: placementLeader, Inject: kill, Heal: restart},
		{Name: "SIGSTOP of a leader", Inject: pause, Heal: resume},
		{Name: "SIGTERM of a leader", Inject: terminate, Heal: restart},
		{Name: "leader cut off", Inject: cut, Heal: plug, Network: true},
		{Name: "kill -9 of all nodes", Inject: killAll, Heal: nothing},
	}
}

func kill(_ *process.Cluster, n *process.Node, struck func()) error {
	n.Kill()
	struck()
	return nil
}

func pause(_ *process.Cluster, n *process.Node, struck func()) error {
	n.Pause()
	struck()
	return nil
}

// terminate asks the node to stop and waits until it has: clients should not notice at any time.
func terminate(_ *process.Cluster, n *process.Node, struck func()) error {
	struck()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return n.Terminate(ctx)
}

func cut(c *process.Cluster, n *process.Node, struck func()) error {
	err := c.Network().Cut(n.Index())
	struck()
	return err
}

// killAll ends every process and starts them again at once, as a power switch does, but for the page cache, which stays.
func killAll(c *process.Cluster, _ *process.Node, struck func()) error {
	c.Kill()
	struck()
	var errs []error
	for _, n := range c.Nodes() {
		errs = append(errs, n.Start())
	}
	return errors.Join(errs...)
}

func restart(_ *process.Cluster, n *process.Node) error { return n.Start() }
func resume(_ *process.Cluster, n *process.Node) error  { n.Resume(); return nil }
func plug(c *process.Cluster, n *process.Node) error    { return c.Network().Heal(n.Index()) }
func nothing(*process.Cluster, *process.Node) error     { return nil }

func placementLeader(ctx context.Context, c *process.Cluster, _ *process.Node) (*process.Node, error) {
	return c.PlacementLeader(ctx)
}
