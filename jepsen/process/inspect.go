package process

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
)

// IsQuorate says that the processes are Quorate's, so that Status, Metrics and SameDigests work.
func (c *Cluster) IsQuorate() bool {
	_, is := c.system.(Quorate)
	return is
}

// Admin connects to the first node that answers within a second, leaving out those to avoid: cut off from the others, a node
// answers and can order nothing.
func (c *Cluster) Admin(ctx context.Context, avoid ...*Node) (*client.Admin, error) {
	var errs []error
	for _, n := range c.nodes {
		if n.Pid() == 0 || slices.Contains(avoid, n) {
			continue
		}
		dial, cancel := context.WithTimeout(ctx, time.Second)
		a, err := client.NewAdmin(dial, []string{n.Addr()}, client.Options{Timeout: adminPatience})
		cancel()
		if err == nil {
			return a, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(append(errs, errors.New("no node answers"))...)
}

// adminPatience bounds one order to the cluster.
const adminPatience = 10 * time.Second

// Status asks the first node that answers.
func (c *Cluster) Status(ctx context.Context) (client.Status, error) {
	a, err := c.Admin(ctx)
	if err != nil {
		return client.Status{}, err
	}
	defer a.Close()
	return a.Status(ctx)
}

// LeaderOf returns the node that the cluster says owns the slot of key.
func (c *Cluster) LeaderOf(ctx context.Context, key string) (*Node, error) {
	cl := client.NewCluster(c.Addrs(), client.Options{Timeout: time.Second})
	defer cl.Close()
	if err := cl.Refresh(ctx); err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		if n.Addr() == cl.Owner(key) {
			return n, nil
		}
	}
	return nil, fmt.Errorf("slot %d belongs to %q, which is no node of this cluster", slot.Of([]byte(key)), cl.Owner(key))
}

// PlacementLeader returns the node that leads placement.
func (c *Cluster) PlacementLeader(ctx context.Context) (*Node, error) {
	s, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range s.Nodes {
		for _, p := range c.nodes {
			if n.ID == s.Placement.Leader && n.Client == p.Addr() {
				return p, nil
			}
		}
	}
	return nil, fmt.Errorf("placement's leader %q is no node of the cluster", s.Placement.Leader)
}

// digestPatience bounds the wait for the replicas of one group to reach a common index.
const digestPatience = time.Minute

// Digests compares the replicas of every group at one index each, once all have answered, and returns what they said.
func (c *Cluster) Digests(ctx context.Context) (all []client.Digest, err error) {
	a, err := client.NewAdmin(ctx, c.Addrs(), client.Options{Timeout: digestPatience})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	s, err := a.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range s.Groups {
		d, err := a.Digests(ctx, g.ID)
		if err != nil {
			return nil, fmt.Errorf("digests of group %d: %w", g.ID, err)
		}
		all = append(all, d...)
	}
	return all, client.SameDigests(all)
}

// SameDigests compares the replicas of every group at one index each.
func (c *Cluster) SameDigests(ctx context.Context) error {
	_, err := c.Digests(ctx)
	return err
}

// Metrics are the sums of a node's counters and gauges by name, over all labels.
func (n *Node) Metrics(ctx context.Context) (map[string]float64, error) {
	families, err := n.Families(ctx)
	out := map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			out[name] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out, err
}

// Families are all of a node's metrics, by name.
func (n *Node) Families(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.HTTP()+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("metrics of %s: %w", n.Addr(), err)
	}
	return families, nil
}
