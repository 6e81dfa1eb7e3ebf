package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// snapshotTimeout bounds how long a snapshot is waited for, instead of what bounds other verbs: 20 million keys take a minute and
// more. It is taken all the same.
const snapshotTimeout = 10 * time.Minute

// adminSnapshot has every replica of a group take a snapshot.
func (n *Node) adminSnapshot(ctx context.Context, args []string) ([]byte, error) {
	if len(args) != 1 {
		return nil, errors.New("want: QUORATE SNAPSHOT group")
	}
	group, err := n.knownGroup(args[0])
	if err != nil {
		return nil, err
	}
	g := group.ID
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	all := make([]client.Snapshot, len(group.Members))
	var wg sync.WaitGroup
	for i, id := range group.Members {
		wg.Go(func() { all[i] = n.askSnapshot(ctx, id, g) })
	}
	wg.Wait()
	return json.Marshal(all)
}

func (n *Node) askSnapshot(ctx context.Context, node topology.NodeID, g slot.GroupID) client.Snapshot {
	var s client.Snapshot
	data, err := n.call(ctx, node, kindSnapshot, g, nil)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		s = client.Snapshot{Group: g, Node: node, Error: err.Error()}
	}
	return s
}

// answerSnapshot is the handler of kindSnapshot. Who asks may go, and the node stop, long before the snapshot is there: it is
// finished, or ended with its replica, in the background.
func (n *Node) answerSnapshot(ctx context.Context, _ topology.NodeID, g slot.GroupID, _ []byte) ([]byte, error) {
	r := n.replicas.get(g)
	if r == nil {
		return nil, errNoReplica
	}
	start := time.Now()
	taken := make(chan error, 1)
	n.background.Go(func() { taken <- r.group.Snapshot() })
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("the snapshot of group %d is not there yet: %w", g, ctx.Err())
	case err := <-taken:
		if err != nil {
			return nil, err
		}
	}
	took, s := time.Since(start), r.group.Replica().Stats()
	return json.Marshal(client.Snapshot{
		Group: g, Node: n.self.ID, Index: s.SnapshotIndex, Bytes: s.SnapshotBytes, Micros: took.Microseconds(),
	})
}
