package shardgroup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// Config opens a Group.
type Config struct {
	ID      slot.GroupID
	Self    string
	Genesis fsm.Genesis
	// Consensus carries transport, stores, timing and modes. Group, Self, FSM, Logger and Fatal are filled in by Open.
	Consensus consensus.Config
	Limits    Limits
	// Clock is the wall clock in Unix milliseconds; time.Now by default. Tests skew it.
	Clock func() int64
	// Entry, if set, hears how long each entry took that this replica proposed, until it was applied. It must return at once.
	Entry func(time.Duration)
	// Peers may be nil in a group that never reads from followers and was not opened with LostTail.
	Peers Peers
	// Recovered, if set, records that a replica opened with LostTail has caught up, before it votes again.
	Recovered func() error
	// Witness, if set, watches the state machine: for tests and simulations.
	Witness Witness
	Logger  *slog.Logger
	// Fatal ends the process: the state can no longer be right. Required.
	Fatal func(error)
}

// Group is one replica of one shard group. Its methods are safe for concurrent use.
type Group struct {
	cfg     Config
	machine *fsm.Machine
	replica *consensus.Replica
	queue   *queue
	clock   clock
	marks   marks
	stats   counters
	// limit is what SetLimit asked for; nil if it never did.
	limit    atomic.Pointer[entry.Limits]
	observer observer

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// ended is closed when the batcher has ended.
	ended chan struct{}
	// turn has room for one: whoever proposes a batch or hands leadership over.
	turn chan struct{}

	// bereaved: see runVotes.
	bereaved atomic.Bool

	pendingMu sync.Mutex
	pending   *batch

	// The batcher's own. nextHunt is when the leader may next evict without a write that needs the room.
	lastBatch uint64
	lastEntry time.Time
	nextHunt  time.Time
	rally     rally
	alarm     *time.Timer
}

// Open restores the replica and joins the group; it does not wait for a leader.
func Open(cfg Config) (*Group, error) {
	g, err := newGroup(cfg)
	if err != nil {
		return nil, fmt.Errorf("open group %d: %w", cfg.ID, err)
	}
	c := g.cfg.Consensus
	c.Group, c.Self, c.FSM, c.Logger, c.Fatal = g.cfg.ID, g.cfg.Self, newApplier(g), g.cfg.Logger, g.cfg.Fatal
	if g.replica, err = consensus.Open(c); err != nil {
		return nil, err
	}
	g.wg.Go(g.runBatcher)
	g.wg.Go(g.runObserver)
	if g.replica.VotesHeld() {
		g.wg.Go(g.runVotes)
	}
	return g, nil
}

func newGroup(cfg Config) (*Group, error) {
	var err error
	if cfg.Limits, err = cfg.Limits.withDefaults(); err != nil {
		return nil, err
	}
	if cfg.Fatal == nil {
		return nil, errors.New("no Fatal function: a corrupt entry must be able to stop the process")
	}
	if cfg.Genesis.Group != cfg.ID {
		return nil, fmt.Errorf("the genesis is of group %d", cfg.Genesis.Group)
	}
	if cfg.Clock == nil {
		cfg.Clock = func() int64 { return time.Now().UnixMilli() }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	g := &Group{cfg: cfg, machine: fsm.New(cfg.Genesis), queue: newQueue(cfg.Limits), ended: make(chan struct{}), turn: make(chan struct{}, 1)}
	g.clock.wall = cfg.Clock
	g.alarm = time.NewTimer(idleWait)
	// Other nodes and earlier runs of this one number their batches too; a random start keeps them apart.
	g.lastBatch = rand.Uint64() >> 1
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.machine.SetObserver(&g.observer)
	return g, nil
}

// Close stops accepting calls, lets those that wait finish if this replica leads, ends the others with ErrNoLeader,
// stops the replica and waits for its goroutines. To hand leadership over, call Transfer first.
func (g *Group) Close() error {
	g.queue.close()
	<-g.ended
	g.cancel()
	err := g.replica.Close()
	g.wg.Wait()
	g.marks.wg.Wait()
	if err != nil {
		return fmt.Errorf("close group %d: %w", g.cfg.ID, err)
	}
	return nil
}

// Submit hands over calls with writes (and reads that ride along). Each call's Done is called exactly once. Calls that are
// handed over together cost one lock and one wake-up, and are likely to share an entry.
func (g *Group) Submit(calls ...*Call) {
	now := time.Now()
	for _, c := range calls {
		c.begin(now)
	}
	for len(calls) > 0 {
		taken, err := g.queue.put(calls)
		if calls = calls[taken:]; err != nil {
			g.stats.rejected.Add(1)
			calls[0].fail(err)
			calls = calls[1:]
		}
	}
}

// SetLimit says what the group may hold. The leader logs it, so that all replicas agree from where on it holds.
func (g *Group) SetLimit(l entry.Limits) {
	g.limit.Store(&l)
	g.queue.signal()
}

// Leader returns who leads the group, as this replica knows. Changed's channel is closed when that next changes.
func (g *Group) Leader() consensus.Leadership { return g.replica.Leader() }

// LeaderNow returns who leads the group at this moment, before Leader tells.
func (g *Group) LeaderNow() consensus.Leadership { return g.replica.LeaderNow() }

// Changed returns a channel that is closed at the next change of Leader.
func (g *Group) Changed() <-chan struct{} { return g.replica.Changed() }

// Machine is the replica's state, for reads that need no linearizability (statistics, counting keys).
func (g *Group) Machine() *fsm.Machine { return g.machine }

// Replica is the group's consensus replica, for membership changes and statistics.
func (g *Group) Replica() *consensus.Replica { return g.replica }

// Transfer hands leadership to node to and returns when that has happened or failed. It waits for the batch in flight, and
// calls wait meanwhile, so that none of them gets ErrUnknown because of it: a batch that is in flight when the leader steps
// down has an unknown fate.
func (g *Group) Transfer(ctx context.Context, to string) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("transfer leadership of group %d to node %s: a batch is in flight: %w", g.cfg.ID, to, ctx.Err())
	}
	defer func() { <-g.turn }()
	return g.replica.Transfer(ctx, to)
}

// Snapshot takes a snapshot now.
func (g *Group) Snapshot() error { return g.replica.Snapshot() }
