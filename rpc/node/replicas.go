package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/placement/leaders"
	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/shardgroup"
	"github.com/quorate/quorate/shardgroup/consensus"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// replica is one open replica on this node.
type replica struct {
	id slot.GroupID
	// life: see topology.Group.Life.
	life      uint64
	group     *shardgroup.Group
	transport interface{ Close() error }
	// leaderless is when the group last lost its leader, Unix ns; 0 while it has one.
	leaderless atomic.Int64
	// caughtUp: the replica has everything that was acknowledged before it was opened.
	caughtUp atomic.Bool
	sketches sketchCounts
	// preferred is to lead a group that was just created; "" in one that has a past, or has had a leader. Only watchLeader
	// looks at it.
	preferred topology.NodeID
	stop      context.CancelFunc
	watching  sync.WaitGroup
}

// replicas are the groups that this node holds a replica of. Lookups take no lock.
type replicas struct {
	mu   disk.Lock // held while replicas open and close
	open atomic.Pointer[map[slot.GroupID]*replica]
}

func (r *replicas) get(id slot.GroupID) *replica { return r.all()[id] }

func (r *replicas) all() map[slot.GroupID]*replica {
	if m := r.open.Load(); m != nil {
		return *m
	}
	return nil
}

func (r *replicas) add(x *replica) {
	next := maps.Clone(r.all())
	if next == nil {
		next = map[slot.GroupID]*replica{}
	}
	next[x.id] = x
	r.open.Store(&next)
}

func (r *replicas) remove(id slot.GroupID) {
	next := maps.Clone(r.all())
	delete(next, id)
	r.open.Store(&next)
}

// followMap opens and closes replicas as the map says. It is called with each new map, by one goroutine.
func (n *Node) followMap(m *topology.Map) {
	n.replicas.mu.Lock()
	defer n.replicas.mu.Unlock()
	for i := range m.Groups {
		if n.stopping.Load() {
			return
		}
		if err := n.followGroup(&m.Groups[i]); err != nil {
			n.fatal(fmt.Errorf("the replica of group %d: %w", m.Groups[i].ID, err))
			return
		}
	}
	n.applyLimits(m)
}

// followGroup opens this node's replica of g, or closes one that has left and deletes its data. A node that missed that it left
// and came back does both.
func (n *Node) followGroup(g *topology.Group) error {
	holds, life := g.Holds(n.self.ID), g.Life(n.self.ID)
	r := n.replicas.get(g.ID)
	if r != nil && (!holds || r.life != life) {
		n.replicas.remove(g.ID)
		if err := r.close(); err != nil {
			return err
		}
		n.log.Info("closed a replica that left its group", "group", g.ID)
		r = nil
	}
	if r != nil {
		return nil
	}
	if err := n.stores.live(g.ID, life); err != nil || !holds {
		return err
	}
	r, err := n.openReplica(g)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	n.replicas.add(r)
	n.log.Info("opened a replica", "group", g.ID)
	return nil
}

func (n *Node) openReplica(g *topology.Group) (*replica, error) {
	var first *raft.Configuration
	if g.Bootstraps(n.self.ID) {
		first = &raft.Configuration{}
		for _, id := range g.Founders {
			first.Servers = append(first.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
		}
	}
	cc, transport, hadState, err := n.consensusConfig(g.ID, first)
	if err != nil {
		return nil, err
	}
	cc.Timers = consensus.Timers{Apply: n.timings.apply.observe, Mark: n.timings.mark.observe, Snapshot: n.timings.snapshot.observe}
	cc.Turn, cc.Restores = n.snapshots, n.restores // placement's snapshots are small, and wait for nobody
	gc := shardgroup.Config{
		ID:        g.ID,
		Self:      string(n.self.ID),
		Genesis:   fsm.Genesis{Group: g.ID, HashSeed: g.HashSeed, Slots: g.Genesis},
		Consensus: cc,
		Entry:     n.timings.entry.observe,
		Limits:    shardgroup.Limits{Park: cmp.Or(n.cfg.Parking, shardgroup.NoPark)},
		Clock:     n.clock,
		Peers:     groupPeers{n},
		Recovered: func() error { return n.stores.stable.GroupRecovered(g.ID) },
		Logger:    n.log,
		Fatal:     n.fatal,
	}
	if n.host.Group != nil {
		n.host.Group(&gc)
	}
	group, err := shardgroup.Open(gc)
	if err != nil {
		return nil, errors.Join(err, transport.Close())
	}
	group.SetObserver(n.front.Observer())
	ctx, cancel := context.WithCancel(context.Background())
	r := &replica{id: g.ID, life: g.Life(n.self.ID), group: group, transport: transport, stop: cancel}
	if first != nil && !hadState {
		r.preferred = g.Members[0]
	}
	r.watching.Go(func() { n.watchLeader(ctx, r) })
	r.watching.Go(func() { r.catchUp(ctx) })
	return r, nil
}

// catchUp waits until the replica has everything that was acknowledged before.
func (r *replica) catchUp(ctx context.Context) {
	for ctx.Err() == nil {
		if r.group.CatchUp() == nil {
			r.caughtUp.Store(true)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(catchUpPace):
		}
	}
}

// catchUpPace is how long a replica waits after a leader did not tell it how far it must get, or it did not get there.
const catchUpPace = 50 * time.Millisecond

// watchLeader keeps the leader table and the front end up to date with what a local replica knows.
func (n *Node) watchLeader(ctx context.Context, r *replica) {
	for {
		changed := r.group.Changed()
		l := r.group.Leader()
		if l.Leader == "" {
			r.leaderless.CompareAndSwap(0, time.Now().UnixNano())
			n.front.TopologyChanged()
		} else {
			r.leaderless.Store(0)
			n.mergeLeaders([]leaders.Claim{{Group: r.id, Term: l.Term, Node: topology.NodeID(l.Leader)}})
			n.front.TopologyChanged()
		}
		if l.Leader != "" && l.Leader != string(n.self.ID) {
			r.preferred = ""
		}
		if l.Ready {
			n.announce(ctx)
			n.preferFirstLeader(ctx, r)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// preferPatience is for how long a new group's leader tries to hand over: nobody waits for that.
const preferPatience = 2 * time.Second

// preferFirstLeader hands a new group to the member that should lead it, so that leaders are spread before the first clients
// come; whoever campaigned first got it. Later the driver does that, without haste.
func (n *Node) preferFirstLeader(ctx context.Context, r *replica) {
	to := r.preferred
	r.preferred = ""
	if to == "" || to == n.self.ID {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, preferPatience)
	defer cancel()
	if err := r.group.Transfer(ctx, string(to)); err != nil {
		n.log.Info("the preferred leader of a new group is not ready yet", "group", r.id, "error", err)
	}
}

// close stops the replica; its transport goes last, because raft may still send.
func (r *replica) close() error {
	r.stop()
	err := r.group.Close()
	r.watching.Wait()
	return errors.Join(err, r.transport.Close())
}

// closeReplicas closes all replicas at once.
func (n *Node) closeReplicas() error {
	n.replicas.mu.Lock()
	defer n.replicas.mu.Unlock()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for _, r := range n.replicas.all() {
		wg.Go(func() {
			err := r.close()
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// awaitTail waits, after a power cut in durability interval, until every replica has caught up with a leader and votes again,
// and records that. Should the node stop before, the next start goes on with the groups that have not.
func (n *Node) awaitTail(ctx context.Context) {
	n.log.Warn("a power cut may have taken writes that this node had acknowledged: its replicas do not vote until they have caught up")
	select {
	case <-ctx.Done():
		return
	case <-n.place.Ready():
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n.votesHeld() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	if err := n.stores.stable.TailRecovered(); err != nil {
		n.fatal(err)
		return
	}
	n.log.Info("every replica has caught up and votes again")
}

// votesHeld reports whether any replica that the map assigns to this node is not open yet or does not vote yet.
func (n *Node) votesHeld() bool {
	for _, g := range n.place.Map().GroupsOn(n.self.ID) {
		if r := n.replicas.get(g); r == nil || r.group.VotesHeld() {
			return true
		}
	}
	return false
}
