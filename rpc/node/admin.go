package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/resp"
)

// askTimeout bounds what one node is waited for when an operator wants to see all of them.
const askTimeout = time.Second

// adminTimeout bounds a QUORATE verb; changes of replicas and the like are only started by one.
const adminTimeout = 30 * time.Second

// Admin implements resp.Backend: the QUORATE command. Its replies are package client's types as JSON.
func (n *Node) Admin(ctx context.Context, args []string) ([]byte, error) {
	if len(args) == 0 {
		return nil, errors.New("QUORATE needs a verb: " + adminVerbs)
	}
	verb, rest := strings.ToUpper(args[0]), args[1:]
	if verb == "SNAPSHOT" {
		return n.adminSnapshot(ctx, rest)
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	switch verb {
	case "STATUS":
		return json.Marshal(n.status(ctx))
	case "TRANSFER":
		return n.adminTransfer(ctx, rest)
	case "SET":
		if len(rest) != 2 {
			return nil, errors.New("want: QUORATE SET setting value")
		}
		err := n.SetSetting(ctx, rest[0], rest[1])
		if errors.Is(err, resp.ErrUnknownSetting) {
			err = fmt.Errorf("%.40q is no setting: want maxmemory, maxmemory-policy, maxmemory-samples or spread-leaders", rest[0])
		}
		return done(err)
	case "INIT":
		return done(n.place.Init(ctx, rest, n.shape()))
	case "ADD-REPLICA", "REMOVE-REPLICA":
		return n.adminReplica(ctx, verb, rest)
	case "DIGEST":
		return n.adminDigest(ctx, rest)
	}
	return nil, fmt.Errorf("unknown verb %.40q: want %s", verb, adminVerbs)
}

const adminVerbs = "STATUS, TRANSFER, ADD-REPLICA, REMOVE-REPLICA, SET, INIT, DIGEST or SNAPSHOT"

func done(err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return []byte(`{"ok":true}`), nil
}

// status asks every node and puts the answers together.
func (n *Node) status(ctx context.Context) client.Status {
	m := n.place.Map()
	s := client.Status{Cluster: m.Cluster, Epoch: m.Epoch, Settings: m.Settings, Nodes: make([]client.NodeStatus, len(m.Nodes))}
	s.Placement.Leader = n.place.Leader()
	if m.Epoch == 0 {
		s.Waiting = n.place.Waiting()
	}
	var wg sync.WaitGroup
	for i, other := range m.Nodes {
		if other.Voter {
			s.Placement.Voters = append(s.Placement.Voters, other.ID)
		}
		wg.Go(func() { s.Nodes[i] = n.askStatus(ctx, other) })
	}
	wg.Wait()
	for i := range m.Groups {
		s.Groups = append(s.Groups, groupStatus(m, &m.Groups[i], s.Nodes))
	}
	return s
}

// nodeReport is a node's answer to kindStatus.
type nodeReport struct {
	Status   client.NodeStatus      `json:"status"`
	Replicas []client.ReplicaStatus `json:"replicas"`
	// Settled: the groups that the node leads have logged the limits of its map.
	Settled bool `json:"settled"`
}

func (n *Node) askStatus(ctx context.Context, other topology.Node) client.NodeStatus {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var r nodeReport
	data, err := n.call(ctx, other.ID, kindStatus, 0, nil)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	out := r.Status
	out.Node, out.Replicas = other, r.Replicas
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

// call is a peer call that also reaches this node itself.
func (n *Node) call(ctx context.Context, to topology.NodeID, kind uint8, group slot.GroupID, payload []byte) ([]byte, error) {
	if to != n.self.ID {
		return n.peers.Call(ctx, to, kind, group, payload)
	}
	switch kind {
	case kindDigest:
		return n.answerDigest(ctx, to, group, payload)
	case kindSnapshot:
		return n.answerSnapshot(ctx, to, group, payload)
	}
	return n.answerStatus(ctx, to, group, payload)
}

// answerStatus is the handler of kindStatus.
func (n *Node) answerStatus(context.Context, topology.NodeID, slot.GroupID, []byte) ([]byte, error) {
	m := n.place.Map()
	r := nodeReport{Settled: m.Epoch > 0 && n.settled(m), Status: client.NodeStatus{
		Epoch: m.Epoch, Version: n.version, Durability: n.cfg.Durability,
		UptimeSeconds: int64(time.Since(n.started).Seconds()),
	}}
	for id, x := range n.replicas.all() {
		s := x.group.Replica().Stats()
		r.Replicas = append(r.Replicas, client.ReplicaStatus{
			Group: id, Node: n.self.ID, State: s.State, Leader: topology.NodeID(s.Leader), Term: s.Term,
			Last: s.Last, Committed: s.Committed, Applied: s.Applied,
			Keys: x.group.Machine().Stats().Keys, Memory: x.group.Machine().Memory(),
		})
	}
	return json.Marshal(r)
}

// groupStatus collects what the nodes said about one group; the leader is the one of the highest term.
func groupStatus(m *topology.Map, g *topology.Group, nodes []client.NodeStatus) client.GroupStatus {
	out := client.GroupStatus{ID: g.ID, Slots: m.RangesOf(g.ID), Joining: g.Joining, Leaving: g.Leaving}
	var term, last uint64
	for _, id := range g.Holders() {
		r := replicaOf(nodes, g.ID, id)
		if r.State == "leader" && r.Term >= term {
			out.Leader, term, last = id, r.Term, r.Last
		}
		out.Replicas = append(out.Replicas, r)
	}
	for i := range out.Replicas {
		if r := &out.Replicas[i]; r.State != stateDown && last > r.Last {
			// Not what is applied: the machine never sees Raft's own entries, so on an idle group that stays behind.
			r.Lag = last - r.Last
		}
	}
	return out
}

// stateDown is the state of a replica whose node did not answer or has not opened it.
const stateDown = "down"

func replicaOf(nodes []client.NodeStatus, g slot.GroupID, id topology.NodeID) client.ReplicaStatus {
	for _, n := range nodes {
		if n.ID != id {
			continue
		}
		for _, r := range n.Replicas {
			if r.Group == g {
				return r
			}
		}
	}
	return client.ReplicaStatus{Group: g, Node: id, State: stateDown}
}

// knownGroup is the group of the map that an operator means by arg.
func (n *Node) knownGroup(arg string) (*topology.Group, error) {
	g, err := parseGroup(arg)
	if err != nil {
		return nil, err
	}
	group := n.place.Map().GroupByID(g)
	if group == nil {
		return nil, fmt.Errorf("group %d does not exist; quorate cluster groups lists them", g)
	}
	return group, nil
}

func (n *Node) adminTransfer(ctx context.Context, args []string) ([]byte, error) {
	if len(args) != 2 {
		return nil, errors.New("want: QUORATE TRANSFER group node")
	}
	group, err := n.knownGroup(args[0])
	if err != nil {
		return nil, err
	}
	g, m := group.ID, n.place.Map()
	to, err := topology.FindNode(m.Nodes, args[1])
	if err != nil {
		return nil, err
	}
	if m.Settings.SpreadLeaders {
		// Or the driver would move it back.
		if _, err := n.place.Propose(ctx, placement.PreferLeader{Group: g, Node: to}); err != nil {
			return nil, err
		}
	}
	return done(n.place.TransferLeader(ctx, g, to))
}

// adminReplica writes down what is wanted; placement's driver brings it about.
func (n *Node) adminReplica(ctx context.Context, verb string, args []string) ([]byte, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("want: QUORATE %s group node", verb)
	}
	g, err := parseGroup(args[0])
	if err != nil {
		return nil, err
	}
	node, err := topology.FindNode(n.place.Map().Nodes, args[1])
	if err != nil {
		return nil, err
	}
	var wanted placement.Change = placement.AddReplica{Group: g, Node: node}
	if verb == "REMOVE-REPLICA" {
		wanted = placement.RemoveReplica{Group: g, Node: node}
	}
	epoch, err := n.place.Propose(ctx, wanted)
	if err == nil {
		err = n.awaitMap(ctx, epoch)
	}
	return done(err)
}

// awaitMap waits until this node's map is of that epoch, so that who asks next sees what was just decided.
func (n *Node) awaitMap(ctx context.Context, epoch uint64) error {
	for n.place.Map().Epoch < epoch {
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is decided (epoch %d), but this node has not heard of it yet: %w", epoch, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

func parseGroup(s string) (slot.GroupID, error) {
	g, err := strconv.ParseUint(s, 10, 32)
	if err != nil || g == 0 {
		return 0, fmt.Errorf("%.40q is no group: want a number from 1; quorate cluster groups lists them", s)
	}
	return slot.GroupID(g), nil
}
