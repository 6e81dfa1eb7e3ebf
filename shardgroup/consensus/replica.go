package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/entry"
)

// proposeTimeout is how long a proposal waits for raft's main loop, which may be busy with a slow disk.
const proposeTimeout = time.Second

// Replica is one member of a Raft group. Its methods are safe for concurrent use.
type Replica struct {
	cfg       Config
	fail      *failStop
	transport *limited
	logs      *logStore
	stable    stableStore
	snapshots *snapshotStore
	members   *members
	fsm       *machine
	gate      Gate
	transfers transferWatch
	givenUp   givenUp

	ctx        context.Context
	cancel     context.CancelFunc
	supervisor sync.WaitGroup
	wg         sync.WaitGroup
	// current is nil before Open has succeeded, while a guard restarts raft, and after Close.
	current atomic.Pointer[instance]
	// starting is held while an instance is made and not yet current.
	starting sync.Mutex
	// full carries the wish for a snapshot, outdated says that it is wanted however short the log is.
	full     chan struct{}
	outdated atomic.Bool

	mu         sync.Mutex
	leadership Leadership
	changed    chan struct{}

	held     atomic.Bool
	restarts atomic.Uint64
	taken    atomic.Uint64
}

// instance is one hashicorp/raft instance of a replica.
type instance struct {
	raft *raft.Raft
	// dead is closed when all goroutines of raft have ended, so that nobody will answer a future any more.
	dead chan struct{}
	// ended is closed when shutdown begins, to stop the goroutines that watch the instance.
	ended chan struct{}
	// silence keeps the transport from sending for this instance.
	silence func()
	once    sync.Once
	stopped raft.Future
	watch   sync.WaitGroup
	// wish carries to the supervisor why a guard wants another instance.
	wish chan string
}

// Open starts a replica: restores the newest snapshot into cfg.FSM, checks that the log continues it, and joins the
// group. It does not wait for a leader.
func Open(cfg Config) (*Replica, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open replica of group %d: %w", cfg.Group, err)
	}
	r := newReplica(cfg)
	if err := r.bootstrap(); err != nil {
		return nil, fmt.Errorf("bootstrap group %d: %w", cfg.Group, err)
	}
	if err := r.start(); err != nil {
		return nil, fmt.Errorf("open replica of group %d: %w", cfg.Group, err)
	}
	r.supervisor.Go(r.supervise)
	r.wg.Go(r.gate.runRounds)
	r.wg.Go(r.runSnapshots)
	return r, nil
}

func newReplica(cfg Config) *Replica {
	r := &Replica{
		cfg:     cfg,
		fail:    &failStop{fatal: func(err error) { cfg.Fatal(fmt.Errorf("group %d: %w", cfg.Group, err)) }},
		members: &members{setVoters: cfg.Transport.SetVoters},
		full:    make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.logs = &logStore{LogStore: cfg.Logs, fail: r.fail, members: r.members, grown: r.logGrown, committed: r.committed, leads: r.leadsNow}
	r.stable = stableStore{cfg.Stable, r.fail}
	r.snapshots = &snapshotStore{SnapshotStore: cfg.Snapshots, fail: r.fail, saved: r.logs.saved, refuse: cfg.Transport.RefuseSnapshot}
	r.logs.discard = r.snapshots.discard
	r.fsm = newMachine(cfg.FSM, r.logs, r.snapshotOverConflict, cfg.Timers.Apply, cfg.Timers.Mark)
	r.fsm.off, r.logs.off = cfg.off, cfg.off
	r.transport = newLimited(cfg.Transport, raft.ServerID(cfg.Self), r.fsm, &cfg.Pulse.beats, cfg.off, r.snapshotOutdated)
	r.transport.leads = r.leads
	r.snapshots.ending = r.transport.down.Load
	r.fsm.advanced, r.fsm.refuse, r.fsm.inTurn = r.transport.stir, cfg.Transport.RefuseSnapshot, r.restoreInTurn
	r.fsm.receiving = r.snapshots.receiving
	cfg.Transport.SetLastEntry(r.logs.lastEntry)
	r.gate.init(r)
	r.held.Store(cfg.LostTail)
	return r
}

// bootstrap writes the group's first configuration as entry 1 of term 1 if the replica has no log. Entry 1 is the same
// on all replicas that bootstrap, so it may be written again after a crash lost it, whatever the term has become.
func (r *Replica) bootstrap() error {
	if r.cfg.Bootstrap == nil {
		return nil
	}
	err := raft.BootstrapCluster(r.cfg.raftConfig(), r.logs, r.stable, r.snapshots, r.transport, *r.cfg.Bootstrap)
	if !errors.Is(err, raft.ErrCantBootstrap) {
		return err
	}
	newest, err := r.snapshots.newest()
	if err != nil || newest != nil {
		return err
	}
	last, err := r.cfg.Logs.LastIndex()
	if err != nil || last > 0 {
		return err
	}
	return r.logs.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(*r.cfg.Bootstrap)})
}

// committed is the newest entry that the state machine has been given, or may be given at any time.
func (r *Replica) committed() uint64 {
	given := r.fsm.begun.Load()
	if in := r.current.Load(); in != nil {
		given = max(given, in.raft.CommitIndex())
	}
	return given
}

// start makes a new instance over the stores and publishes it.
func (r *Replica) start() error {
	r.starting.Lock()
	defer r.starting.Unlock()
	r.fsm.begin()
	newest, err := r.snapshots.newest()
	if err != nil {
		return err
	}
	if err := r.logs.open(newest); err != nil {
		return err
	}
	r.transport.down.Store(false)
	inst := &instance{
		dead: make(chan struct{}), ended: make(chan struct{}), wish: make(chan string, 1),
		silence: func() {
			r.transport.down.Store(true)
			r.transport.stir()
		},
	}
	inst.raft, err = raft.NewRaft(r.cfg.raftConfig(), r.fsm, r.logs, r.stable, r.snapshots, r.transport)
	if err != nil {
		return r.snapshots.explain(err)
	}
	r.current.Store(inst)
	inst.watch.Go(func() { r.watchLeadership(inst) })
	inst.watch.Go(func() { r.runSuccession(inst) })
	return nil
}

// shutdown tells raft to stop, without waiting. A second Shutdown of raft would not wait for anything, so the first
// one's future is kept.
func (inst *instance) shutdown() {
	inst.once.Do(func() {
		close(inst.ended)
		inst.silence()
		inst.stopped = inst.raft.Shutdown()
	})
}

// stop ends inst and all that belongs to it.
func (r *Replica) stop(inst *instance) error {
	r.current.CompareAndSwap(inst, nil)
	inst.shutdown()
	err := errors.Join(inst.stopped.Error(), r.logs.settle())
	close(inst.dead)
	inst.watch.Wait()
	r.resign()
	return err
}

// supervise replaces the instance when a guard asks for it.
func (r *Replica) supervise() {
	for {
		inst := r.current.Load()
		select {
		case <-r.ctx.Done():
			return
		case why := <-inst.wish:
			r.restarts.Add(1)
			r.cfg.Logger.Warn("restarting the raft instance", "reason", why)
			if r.fail.check("stop raft for a restart", r.stop(inst)) != nil {
				return
			}
			if r.fail.check("restart raft", r.start()) != nil {
				return
			}
		}
	}
}

func (inst *instance) wishRestart(why string) {
	select {
	case inst.wish <- why:
	default: // one is on its way
	}
}

// snapshotOverConflict is guard F6. Raft keeps the conflicting tail and, in memory, its last index and term: the leader's
// next AppendEntries is refused, the same snapshot is offered again, for ever; and a vote would compare with the wrong
// last entry. So raft must not handle another message: Shutdown makes its main loop end with the present one. The
// snapshot is durable by now, and the next start drops the tail.
func (r *Replica) snapshotOverConflict(meta raft.SnapshotMeta) {
	r.starting.Lock()
	inst := r.current.Load()
	r.starting.Unlock()
	if inst == nil || r.cfg.off.Conflict {
		return // without an instance, it is being stopped already
	}
	inst.shutdown()
	inst.wishRestart(fmt.Sprintf("the snapshot installed at entry %d conflicts with the log behind it", meta.Index))
}

// Close stops the replica and waits for its goroutines. Proposals in flight end with ErrUnknown. It does not hand
// leadership over (see Transfer) and closes neither the transport nor the stores.
func (r *Replica) Close() error {
	r.cancel()
	r.supervisor.Wait()
	var err error
	if inst := r.current.Load(); inst != nil {
		err = r.stop(inst)
	}
	r.wg.Wait()
	return err
}

// Result is what became of an applied proposal.
type Result struct {
	Index uint64
	// Response is what the state machine returned for it.
	Response any
}

// Propose appends data to the group's log and returns when this node's state machine has applied it. data belongs to
// the replica from then on. A nil error: applied. An error for which NotApplied holds: without effect. Any other
// error is ErrUnknown. It ends by itself: a leader without a quorum steps down within Timing.Lease.
func (r *Replica) Propose(data []byte) (Result, error) { return r.propose(data, false) }

// ProposeAhead is Propose for a command of few clients: see pending. Beside another proposal either may be sent ahead, or neither.
func (r *Replica) ProposeAhead(data []byte) (Result, error) { return r.propose(data, r.cfg.Ahead) }

func (r *Replica) propose(data []byte, ahead bool) (Result, error) {
	if len(data) > entry.MaxBytes {
		return Result{}, ErrTooLarge
	}
	inst := r.current.Load()
	if inst == nil {
		return Result{}, r.away()
	}
	r.logs.ahead.Store(ahead)
	fut := inst.raft.Apply(data, proposeTimeout)
	queued, err := inst.await(fut)
	r.transfers.note(r, inst, err)
	if err != nil {
		return Result{}, r.outcome(queued, err)
	}
	if lost, ok := fut.Response().(undone); ok {
		return Result{}, fmt.Errorf("%w (%w)", ErrUnknown, lost)
	}
	return Result{Index: fut.Index(), Response: fut.Response()}, nil
}

// leadsNow reports whether this replica leads, whatever term.
func (r *Replica) leadsNow() bool {
	inst := r.current.Load()
	return inst != nil && inst.raft.State() == raft.Leader
}

// away says why there is no instance: the replica is closed, or a guard is restarting it.
func (r *Replica) away() error {
	if r.ctx.Err() != nil {
		return ErrClosed
	}
	return &NotLeaderError{}
}

// outcome says what raft's error means for the proposal. Only four errors promise that it had no effect.
func (r *Replica) outcome(queued bool, err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), r.cfg.off.Outcome:
		return &NotLeaderError{Leader: r.otherLeader()}
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return ErrBusy
	case errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return ErrTransferring
	case errors.Is(err, raft.ErrRaftShutdown) && !queued:
		return r.away()
	default:
		return fmt.Errorf("%w (%w)", ErrUnknown, err)
	}
}

// Applied is the index of the newest entry that the state machine has applied. Entries that the state machine never
// sees (raft's no-ops and barriers) do not count.
func (r *Replica) Applied() uint64 { return r.fsm.applied.Load() }

// WaitApplied returns when Applied is at least index.
func (r *Replica) WaitApplied(ctx context.Context, index uint64) error {
	return r.fsm.wait(ctx, index, r.ctx.Done())
}

// VotesHeld reports whether this replica still keeps out of elections because it was opened with LostTail.
func (r *Replica) VotesHeld() bool { return r.held.Load() }

// ReleaseVotes ends that: the caller has made sure that the replica has caught up with a leader on an entry that was
// proposed after Open, or that so many voters lost their tails that nothing can be caught up with.
func (r *Replica) ReleaseVotes() {
	r.held.Store(false)
	r.cfg.Transport.ReleaseVotes()
}

// VoteFor lets a replica that holds its votes vote for one candidate, or nobody (""). The caller has made sure that its log has all that was
// acknowledged by those that hold.
func (r *Replica) VoteFor(id string) { r.cfg.Transport.VoteFor(raft.ServerID(id)) }

// LastEntry is the term and index of the last entry in the log, 0 if it is empty. False: it is being removed.
func (r *Replica) LastEntry() (term, index uint64, ok bool) { return r.logs.lastEntry() }

// Gate is the replica's read gate.
func (r *Replica) Gate() *Gate { return &r.gate }
