package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// digestTimeout bounds a comparison: a follower must first have applied as much as its leader.
const digestTimeout = 10 * time.Second

// digestRequest asks for a replica's digest at an index; index 0 asks the leader to mark one first.
func digestRequest(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

// adminDigest has the group's leader mark an index in the log and asks every replica for its digest there.
func (n *Node) adminDigest(ctx context.Context, args []string) ([]byte, error) {
	if len(args) != 1 {
		return nil, errors.New("want: QUORATE DIGEST group")
	}
	group, err := n.knownGroup(args[0])
	if err != nil {
		return nil, err
	}
	g := group.ID
	leader := n.Leader(g)
	if leader == "" {
		return nil, fmt.Errorf("group %d has no leader at the moment; try again", g)
	}
	ctx, cancel := context.WithTimeout(ctx, digestTimeout)
	defer cancel()
	marked, err := n.askDigest(ctx, leader, g, 0)
	if err != nil {
		return nil, fmt.Errorf("mark group %d: %w", g, err)
	}
	all := make([]client.Digest, len(group.Members))
	var wg sync.WaitGroup
	for i, id := range group.Members {
		wg.Go(func() {
			d, err := n.askDigest(ctx, id, g, marked.Index)
			if err != nil {
				d = client.Digest{Group: g, Node: id, Index: marked.Index, Error: err.Error()}
			}
			all[i] = d
		})
	}
	wg.Wait()
	return json.Marshal(all)
}

func (n *Node) askDigest(ctx context.Context, node topology.NodeID, g slot.GroupID, index uint64) (client.Digest, error) {
	var d client.Digest
	data, err := n.call(ctx, node, kindDigest, g, digestRequest(index))
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(data, &d)
}

// answerDigest is the handler of kindDigest.
func (n *Node) answerDigest(ctx context.Context, _ topology.NodeID, g slot.GroupID, payload []byte) ([]byte, error) {
	r := n.replicas.get(g)
	if r == nil {
		return nil, errNoReplica
	}
	if len(payload) != 8 {
		return nil, fmt.Errorf("digest: %d bytes of request, want 8", len(payload))
	}
	index := binary.BigEndian.Uint64(payload)
	if index == 0 {
		marked, err := r.group.Mark()
		if err != nil {
			return nil, err
		}
		return json.Marshal(client.Digest{Group: g, Node: n.self.ID, Index: marked})
	}
	sum, err := r.group.Digest(ctx, index)
	if err != nil {
		return nil, err
	}
	return json.Marshal(client.Digest{Group: g, Node: n.self.ID, Index: index, Sum: sum.String()})
}
