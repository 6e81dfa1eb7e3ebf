package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/topology"
)

// Status is what one node knows and has just asked of the others.
type Status struct {
	Cluster string `json:"cluster"`
	// Waiting says what the answering node waits for while it belongs to no cluster.
	Waiting string `json:"waiting,omitempty"`
	// Epoch is that of the answering node's map.
	Epoch     uint64            `json:"epoch"`
	Settings  topology.Settings `json:"settings"`
	Placement PlacementStatus   `json:"placement"`
	Nodes     []NodeStatus      `json:"nodes"`
	Groups    []GroupStatus     `json:"groups"`
}

// PlacementStatus is the state of placement's own Raft group.
type PlacementStatus struct {
	// Leader is empty while placement has no quorum: the map can't change, data is served all the same.
	Leader topology.NodeID   `json:"leader,omitempty"`
	Voters []topology.NodeID `json:"voters"`
}

// NodeStatus is one node.
type NodeStatus struct {
	topology.Node
	// Error says why the node did not answer; empty if it did. The fields below are then zero.
	Error string `json:"error,omitempty"`
	// Epoch is that of the node's own map.
	Epoch   uint64 `json:"epoch"`
	Version string `json:"version,omitempty"`
	// UptimeSeconds counts from the process's start.
	UptimeSeconds int64           `json:"uptime_seconds"`
	Durability    string          `json:"durability,omitempty"`
	Replicas      []ReplicaStatus `json:"-"`
}

// GroupStatus is one shard group.
type GroupStatus struct {
	ID       slot.GroupID    `json:"id"`
	Slots    []slot.Range    `json:"slots"`
	Leader   topology.NodeID `json:"leader,omitempty"`
	Replicas []ReplicaStatus `json:"replicas"`
	// Joining is a node that is becoming a member, Leaving one that is ceasing to be; both hold replicas, too.
	Joining topology.NodeID `json:"joining,omitempty"`
	Leaving topology.NodeID `json:"leaving,omitempty"`
}

// ReplicaStatus is one replica of a group, as its node reports it.
type ReplicaStatus struct {
	Group slot.GroupID    `json:"group"`
	Node  topology.NodeID `json:"node"`
	// State is leader, follower, candidate or down (the node did not answer).
	State  string          `json:"state"`
	Leader topology.NodeID `json:"leader,omitempty"`
	Term   uint64          `json:"term"`
	// Last, Committed and Applied are log indexes; Lag is the leader's last minus this replica's: entries that it lacks.
	Last      uint64 `json:"last"`
	Committed uint64 `json:"committed"`
	Applied   uint64 `json:"applied"`
	Lag       uint64 `json:"lag"`
	Keys      int64  `json:"keys"`
	// Memory is in logical bytes.
	Memory int64 `json:"memory"`
}

// Digest is what a replica's state amounts to at one log index.
type Digest struct {
	Group slot.GroupID    `json:"group"`
	Node  topology.NodeID `json:"node"`
	Index uint64          `json:"index"`
	// Sum is in hex. Replicas of a group with equal Index have equal Sum, or something is very wrong.
	Sum   string `json:"sum,omitempty"`
	Error string `json:"error,omitempty"`
}

// Snapshot is what a replica's newest snapshot is.
type Snapshot struct {
	Group slot.GroupID    `json:"group"`
	Node  topology.NodeID `json:"node"`
	// Index is the last log entry in it, Bytes its size on disk, Micros how long it took, the wait for others of its node included.
	Index  uint64 `json:"index"`
	Bytes  int64  `json:"bytes"`
	Micros int64  `json:"us"`
	Error  string `json:"error,omitempty"`
}

// Admin gives orders to a cluster through any of its nodes.
type Admin struct{ conn *Conn }

// NewAdmin connects to the first of addrs (client host:port) that answers.
func NewAdmin(ctx context.Context, addrs []string, o Options) (*Admin, error) {
	var errs []error
	for _, addr := range addrs {
		conn, err := Dial(ctx, addr, o)
		if err == nil {
			return &Admin{conn: conn}, nil
		}
		var reply *ReplyError
		if errors.As(err, &reply) { // it answers, and the next one would say the same
			return nil, fmt.Errorf("%s: %w", addr, explain(err))
		}
		var unsent *NotSentError
		if errors.As(err, &unsent) { // of course not: there is no connection
			err = fmt.Errorf("%s: %w", addr, unsent.Err)
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("no node answers: %w; is the address right, and the server started?", errors.Join(errs...))
}

// Close closes the connection.
func (a *Admin) Close() error { return a.conn.Close() }

// call sends QUORATE args and decodes the JSON reply.
func (a *Admin) call(ctx context.Context, into any, args ...string) error {
	v, err := a.conn.Do(ctx, append([]string{"QUORATE"}, args...)...)
	if err != nil {
		return explain(err)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(v.Str), into); err != nil {
		return fmt.Errorf("QUORATE %s: reply: %w", args[0], err)
	}
	return nil
}

// explain turns replies that mean "wrong server" or "no password" into what to do about it.
func explain(err error) error {
	var reply *ReplyError
	if !errors.As(err, &reply) {
		return err
	}
	switch {
	case reply.Code() == "NOAUTH":
		return errors.New("the cluster asks for a password: give --password or QUORATE_PASSWORD")
	case reply.Code() == "WRONGPASS":
		return errors.New("the password is wrong: look at --password or QUORATE_PASSWORD")
	case strings.HasPrefix(reply.Text, "ERR AUTH <password> called without"):
		return errors.New("the server has no password: leave out --password and QUORATE_PASSWORD")
	case strings.HasPrefix(reply.Text, "ERR unknown command"):
		return errors.New("the server is no Quorate node")
	}
	return errors.New(strings.TrimPrefix(reply.Text, "ERR "))
}

// Status asks for the whole cluster's state.
func (a *Admin) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, a.call(ctx, &s, "STATUS")
}

// Transfer hands leadership of group to node (ID, unambiguous start of one, or name).
func (a *Admin) Transfer(ctx context.Context, group slot.GroupID, node string) error {
	return a.call(ctx, nil, "TRANSFER", strconv.FormatUint(uint64(group), 10), node)
}

// AddReplica begins to make node (as in Transfer) a member of group. Status shows when that is done: see Settled.
func (a *Admin) AddReplica(ctx context.Context, group slot.GroupID, node string) error {
	return a.call(ctx, nil, "ADD-REPLICA", strconv.FormatUint(uint64(group), 10), node)
}

// RemoveReplica begins to take node out of group, or takes AddReplica back.
func (a *Admin) RemoveReplica(ctx context.Context, group slot.GroupID, node string) error {
	return a.call(ctx, nil, "REMOVE-REPLICA", strconv.FormatUint(uint64(group), 10), node)
}

// Settled waits until no node joins or leaves group, and returns the group as it is then.
func (a *Admin) Settled(ctx context.Context, group slot.GroupID) (GroupStatus, error) {
	for {
		s, err := a.Status(ctx)
		if err != nil {
			return GroupStatus{}, err
		}
		i := slices.IndexFunc(s.Groups, func(g GroupStatus) bool { return g.ID == group })
		if i < 0 {
			return GroupStatus{}, fmt.Errorf("group %d does not exist", group)
		}
		g := s.Groups[i]
		if g.Joining == "" && g.Leaving == "" {
			return g, nil
		}
		select {
		case <-ctx.Done():
			return g, fmt.Errorf("group %d: joining %q, leaving %q: %w", group, g.Joining.Short(), g.Leaving.Short(), ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Set changes a cluster-wide setting: maxmemory, maxmemory-policy, maxmemory-samples, spread-leaders.
func (a *Admin) Set(ctx context.Context, name, value string) error {
	return a.call(ctx, nil, "SET", name, value)
}

// Init founds a cluster of the nodes at the given peer addresses.
func (a *Admin) Init(ctx context.Context, peers []string) error {
	return a.call(ctx, nil, append([]string{"INIT"}, peers...)...)
}

// Digests asks all replicas of group for their digest at one common log index.
func (a *Admin) Digests(ctx context.Context, group slot.GroupID) ([]Digest, error) {
	var d []Digest
	return d, a.call(ctx, &d, "DIGEST", strconv.FormatUint(uint64(group), 10))
}

// Snapshot has all replicas of group take a snapshot and waits for them. A replica to which nothing has happened since
// its last one reports that.
func (a *Admin) Snapshot(ctx context.Context, group slot.GroupID) ([]Snapshot, error) {
	var s []Snapshot
	return s, a.call(ctx, &s, "SNAPSHOT", strconv.FormatUint(uint64(group), 10))
}

// SameDigests returns an error that names the first replica that did not answer or that differs from another one of its
// group at the same index.
func SameDigests(all []Digest) error {
	type at struct {
		group slot.GroupID
		index uint64
	}
	first := map[at]Digest{}
	for _, d := range all {
		if d.Error != "" {
			return fmt.Errorf("group %d, node %s: %s", d.Group, d.Node, d.Error)
		}
		key := at{d.Group, d.Index}
		if other, seen := first[key]; seen && other.Sum != d.Sum {
			return fmt.Errorf("group %d at index %d: node %s has digest %s, node %s has %s: replicas differ", d.Group, d.Index, other.Node, other.Sum, d.Node, d.Sum)
		}
		first[key] = d
	}
	return nil
}
