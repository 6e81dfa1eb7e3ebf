package sim

import (
	"errors"
	"net"
	"runtime"
	"time"

	"github.com/hashicorp/raft"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/jepsen/sim/machine"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/node/guards"
	"github.com/quorate/quorate/shardgroup"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/wal"
)

// config is a node's.
func (s *server) config() config.Config {
	var c config.Config
	config.Flags(pflag.NewFlagSet("", pflag.ContinueOnError), &c)
	p := s.c.plan
	c.DataDir, c.Name = "simulated", string(s.host)
	c.Listen, c.Announce, c.PeerListen, c.PeerAnnounce, c.HTTPListen = s.client(), s.client(), s.peer(), s.peer(), config.Off
	for _, o := range s.c.nodes {
		c.Join = append(c.Join, o.peer())
	}
	c.BootstrapExpect, c.Groups, c.Replicas, c.InsecurePeers, c.ProtectedMode = p.Nodes, p.Groups, p.Replicas, true, false
	c.Durability, c.Reads, c.ElectionTimeout, c.Lease = p.Durability, p.Reads, p.Election, p.Lease
	c.StallTimeout = stall
	if c.MaxMemory = config.Bytes(p.memory()); c.MaxMemory > 0 {
		c.MaxMemoryPolicy = "allkeys-lru"
	}
	return c
}

const (
	// stall is after what time a disk counts as stuck.
	stall = 10 * time.Second
	// evictionMemory is little, so that few values of Plan.Ballast bytes fill it.
	evictionMemory = 256 << 10
	// segmentBytes is the smallest size of a log file, so that many are begun and freed.
	segmentBytes = 64 << 10
)

// hostOf is what a process of the node runs on.
func (s *server) hostOf(p *machine.Process) node.Host {
	h := node.Host{
		Listen: func(addr string) (net.Listener, error) { return s.c.net.Listen(s.host, addr) },
		Peers: func(self topology.NodeID) (node.Peers, error) {
			s.c.trace.name(self, s.host)
			s.c.mu.Lock()
			s.c.ids[s] = self
			s.c.mu.Unlock()
			return s.c.net.Join(self, s.host, s.peer()), nil
		},
		Disk: p.Disk, Stable: p.Stable, Files: p.Files(), Clock: s.machine.Now,
		Log:     func(o *wal.Options) { o.SegmentBytes = segmentBytes },
		Replica: s.tunePlacement,
		Group:   s.tuneGroup,
	}
	_ = guards.Weaken(s.c.plan.Mutation, &h) // the name is good, or there would be no run
	return h
}

func (s *server) tunePlacement(cc *consensus.Config) {
	s.tune(0, cc)
	cc.FSM = placementWatch{FSM: cc.FSM, s: s}
}

func (s *server) tuneGroup(gc *shardgroup.Config) {
	s.tune(gc.ID, &gc.Consensus)
	for _, timer := range []*func(time.Duration){&gc.Consensus.Timers.Apply, &gc.Consensus.Timers.Mark} {
		heard := *timer
		*timer = func(took time.Duration) {
			heard(took)
			s.dawdle()
		}
	}
	gc.Witness = s.c.oracle.Witness(gc.ID, string(s.host))
}

func (s *server) tune(g slot.GroupID, cc *consensus.Config) {
	p := s.c.plan
	cc.Logs = unhurried{s.c.oracle.Watch(g, string(s.host), cc.Logs)}
	cc.Stable = mortal{cc.Stable}
	cc.SnapshotBytes, cc.TrailingLogs, cc.Timing.Commit = p.Snapshot, p.Trailing, p.Commit
}

// placementWatch shows the oracle what placement's replica applies.
type placementWatch struct {
	raft.FSM
	s *server
}

// Apply implements raft.FSM.
func (w placementWatch) Apply(l *raft.Log) any {
	out := w.FSM.Apply(l)
	w.s.c.oracle.Applied(0, string(w.s.host), l)
	return out
}

// unhurried is a log that takes its time to say that it can't be read. Raft's leadership transfer has a follower's replication
// read again without a pause as long as that fails. The two hand each other the only processor, which nothing takes from
// them here: nobody else would get to end them, nor would virtual time go on.
type unhurried struct{ raft.LogStore }

// excuse is how long it takes.
const excuse = time.Millisecond

// GetLog implements raft.LogStore.
func (u unhurried) GetLog(index uint64, l *raft.Log) error {
	err := u.LogStore.GetLog(index, l)
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		time.Sleep(excuse)
	}
	return err
}

// mortal is a stable store whose caller does not live on after an error: the process has ended by then. Raft would panic.
type mortal struct{ raft.StableStore }

// Set implements raft.StableStore.
func (m mortal) Set(key, v []byte) error { return orEnd(m.StableStore.Set(key, v)) }

// SetUint64 implements raft.StableStore.
func (m mortal) SetUint64(key []byte, v uint64) error { return orEnd(m.StableStore.SetUint64(key, v)) }

func orEnd(err error) error {
	if err != nil {
		runtime.Goexit()
	}
	return nil
}
