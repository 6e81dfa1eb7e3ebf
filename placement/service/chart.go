package service

import (
	"fmt"
	"sync"

	"github.com/quorate/quorate/placement/topology"
)

// chart holds the newest map this node has seen, in memory and on disk, and wakes those who wait for a newer one.
type chart struct {
	files Files
	// moved is told each node whose peer address is new, before the map is visible.
	moved func(topology.NodeID, string)

	// advancing is held by whoever replaces now, across the disk write; readers never wait for the disk.
	advancing sync.Mutex
	mu        sync.Mutex
	now       *topology.Map
	// changed is closed and replaced when now changes.
	changed chan struct{}
}

// openChart reads the map in dir if the node belongs to cluster; a map without a cluster is what is left of a join
// that was not completed.
func openChart(files Files, cluster string, moved func(topology.NodeID, string)) (*chart, error) {
	c := &chart{files: files, moved: moved, now: &topology.Map{}, changed: make(chan struct{})}
	var m topology.Map
	found, err := load(files, mapFile, &m)
	if err != nil {
		return nil, err
	}
	if !found || cluster == "" {
		return c, nil
	}
	if m.Cluster != cluster {
		return nil, fmt.Errorf("placement: %v/%s is of cluster %s, but this node belongs to cluster %s: the folder was mixed up", files, mapFile, m.Cluster, cluster)
	}
	c.tell(&topology.Map{}, &m)
	c.now = &m
	return c, nil
}

func (c *chart) latest() (*topology.Map, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, c.changed
}

// advance takes m over if it is newer than what is known, on disk first. Older maps are no error: a replica that
// replays its log passes them. A map that contradicts what is known is.
func (c *chart) advance(m *topology.Map) error {
	c.advancing.Lock()
	defer c.advancing.Unlock()
	now, _ := c.latest()
	switch {
	case m.Epoch < now.Epoch:
		return nil
	case m.Epoch == now.Epoch:
		if !m.SameContent(now) {
			return fmt.Errorf("placement: two different maps of epoch %d: %v/%s does not stem from this cluster's log", m.Epoch, c.files, mapFile)
		}
		return nil
	}
	if err := m.Follows(now); err != nil {
		return fmt.Errorf("placement: %w", err)
	}
	if err := save(c.files, mapFile, m); err != nil {
		return &diskError{err}
	}
	c.tell(now, m)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = m
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// tell names the peer addresses that changed from old to m; the others may have been heard more recently from the
// nodes themselves.
func (c *chart) tell(old, m *topology.Map) {
	for i := range m.Nodes {
		n := &m.Nodes[i]
		if before := old.NodeByID(n.ID); n.Peer != "" && (before == nil || before.Peer != n.Peer) {
			c.moved(n.ID, n.Peer)
		}
	}
}

// diskError marks an error after which this node cannot keep its promises.
type diskError struct{ error }

func (e *diskError) Unwrap() error { return e.error }
