package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/resp"
	"github.com/quorate/quorate/shardgroup"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// slotsDownAfter is how long a group may be without a leader before cluster_state says fail. Some clients drop every
// connection on "fail", so an election must not show.
const slotsDownAfter = 5 * time.Second

// Self implements resp.Backend.
func (n *Node) Self() topology.NodeID { return n.self.ID }

// Map implements resp.Backend.
func (n *Node) Map() *topology.Map { return n.place.Map() }

// Leader implements resp.Backend. A local replica knows best. The table covers groups that live elsewhere, and those that this node
// is about to join: it hears of the leader there only when the leader hears of it.
func (n *Node) Leader(g slot.GroupID) topology.NodeID {
	return n.leaderBy(g, (*shardgroup.Group).Leader)
}

// LeaderNow implements resp.Backend.
func (n *Node) LeaderNow(g slot.GroupID) topology.NodeID {
	return n.leaderBy(g, (*shardgroup.Group).LeaderNow)
}

// leaderBy is the leader that look finds at the local replica, if that knows.
func (n *Node) leaderBy(g slot.GroupID, look func(*shardgroup.Group) consensus.Leadership) topology.NodeID {
	if r := n.replicas.get(g); r != nil {
		leader := topology.NodeID(look(r.group).Leader)
		if leader != "" || n.place.Map().IsMember(g, n.self.ID) {
			return leader
		}
	}
	claim, _ := n.leaders.Leader(g)
	if claim.Node == n.self.ID {
		return "" // it would know
	}
	return claim.Node
}

// Replica implements resp.Backend.
func (n *Node) Replica(g slot.GroupID) resp.Group {
	if r := n.replicas.get(g); r != nil {
		return r.group
	}
	return nil
}

// Status implements resp.Backend.
func (n *Node) Status() resp.Status {
	s := resp.Status{Version: n.version, Durability: n.cfg.Durability, Reads: n.cfg.Reads}
	s.LastSnapshot = max(n.started.Unix(), n.timings.snapshot.last.Load())
	now := time.Now().UnixNano()
	m := n.place.Map()
	_, s.Loading = n.behind(m)
	for _, g := range m.Groups {
		r := n.replicas.get(g.ID)
		if r == nil {
			continue
		}
		s.Groups = append(s.Groups, r.status(n.self.ID))
		if since := r.leaderless.Load(); since != 0 && time.Duration(now-since) > slotsDownAfter {
			for _, x := range m.RangesOf(g.ID) {
				s.SlotsDown += x.Len()
			}
		}
	}
	return s
}

func (r *replica) status(self topology.NodeID) resp.GroupStatus {
	c, m := r.group.Replica().Stats(), r.group.Machine().Stats()
	s := resp.GroupStatus{
		Group: r.id, Leader: topology.NodeID(c.Leader), Leading: c.Leader == string(self), Term: c.Term,
		Last: c.Last, Committed: c.Committed, Applied: c.Applied, SnapshotIndex: c.SnapshotIndex, LogBytes: c.LogBytes,
		ReadLease: c.LeaseLeft > 0, UsedMemory: m.Memory,
		Keys: m.Keys, Expires: m.Volatile, Expired: m.Expired, Evicted: m.Evicted,
	}
	for _, p := range c.Peers {
		if p.Voter && p.Contact >= 0 && p.Contact < time.Second {
			s.VotersAcked++
		}
	}
	return s
}

// Settings implements resp.Backend.
func (n *Node) Settings() []resp.Setting {
	c := n.cfg
	return []resp.Setting{
		{Name: "dir", Value: c.DataDir}, {Name: "durability", Value: c.Durability}, {Name: "sync-interval", Value: c.SyncInterval.String()},
		{Name: "log-store", Value: c.LogStore}, {Name: "reads", Value: c.Reads}, {Name: "follower-reads", Value: c.FollowerReads},
		{Name: "election-timeout", Value: c.ElectionTimeout.String()}, {Name: "lease", Value: c.Lease.String()}, {Name: "parking", Value: c.Parking.String()},
		{Name: "appendonly", Value: "yes"}, {Name: "appendfsync", Value: map[string]string{"always": "always", "interval": "everysec"}[c.Durability]},
		{Name: "save", Value: ""}, {Name: "loglevel", Value: n.level.Level().String()},
	}
}

// SetSetting implements resp.Backend.
func (n *Node) SetSetting(ctx context.Context, name, value string) error {
	if n.place.Map().Epoch == 0 {
		return errors.New("this node belongs to no cluster yet")
	}
	change, err := settingChange(name, value)
	if err != nil {
		if errors.Is(err, resp.ErrUnknownSetting) && slices.ContainsFunc(n.Settings(), func(x resp.Setting) bool { return x.Name == name }) {
			return resp.ErrFixedSetting
		}
		return err
	}
	epoch, err := n.place.Propose(ctx, change)
	if err != nil {
		return err
	}
	n.awaitSettings(ctx, epoch)
	return nil
}

// settingChange reads the new value of a cluster-wide setting.
func settingChange(name, value string) (c placement.ChangeSettings, err error) {
	switch name {
	case "maxmemory":
		var b config.Bytes
		err = b.Set(value)
		c.MaxMemory = new(int64(b))
	case "maxmemory-policy":
		value = strings.ToLower(value) // as Redis takes it
		if !slices.Contains(config.Policies, value) {
			err = fmt.Errorf("maxmemory-policy must be one of %v", config.Policies)
		}
		c.MaxMemoryPolicy = &value
	case "maxmemory-samples":
		samples, wrong := strconv.Atoi(value)
		if wrong != nil || samples < 1 || samples > 64 {
			err = errors.New("maxmemory-samples must be 1 to 64")
		}
		c.MaxMemorySamples = &samples
	case "spread-leaders":
		switch value {
		case "yes", "on", "true":
			c.SpreadLeaders = new(true)
		case "no", "off", "false":
			c.SpreadLeaders = new(false)
		default:
			err = errors.New("spread-leaders must be yes or no")
		}
	default:
		err = resp.ErrUnknownSetting
	}
	return c, err
}

// Transfer implements resp.Backend: the order goes to whichever node leads the group.
func (n *Node) Transfer(ctx context.Context, g slot.GroupID, to topology.NodeID) error {
	return n.place.TransferLeader(ctx, g, to)
}

// Shutdown implements resp.Backend.
func (n *Node) Shutdown() { n.askStop() }
