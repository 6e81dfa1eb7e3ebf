package consensus

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// machine is the caller's state machine as raft sees it: it knows how far it is, and it never goes back. It outlives raft's
// instances: one that a guard starts restores the newest snapshot, if there is any, and applies the log behind it, of
// which the state machine has seen the beginning already. All it has seen is committed, so it skips that.
type machine struct {
	raft.FSM
	batching raft.BatchingFSM        // nil if FSM is none
	configs  raft.ConfigurationStore // nil if FSM is none
	indexed  indexed                 // nil if FSM is none
	// conflict is called, on raft's FSM goroutine, when a snapshot was installed over a conflicting tail.
	conflict func(raft.SnapshotMeta)
	// held is called with how long FSM was kept by a batch, marked by a mark.
	held, marked func(time.Duration)
	// advanced is called when applied has moved.
	advanced func()
	// receiving reports whether a snapshot comes in. It is asked when none is being taken.
	receiving func() bool
	// refuse is told of a snapshot that is not installed because more is applied already.
	refuse func(index uint64)
	// inTurn calls a function that builds a state beside the old one, or returns an error if the replica closes before that.
	inTurn func(func() error) error
	logs   *logStore
	off    Off
	// running is false while an instance starts, when restoring a snapshot is no installation.
	running   atomic.Bool
	installed atomic.Uint64
	// restoring is true while a snapshot is restored, which may have to wait for its turn.
	restoring atomic.Bool

	// begun is the newest entry that FSM was given, applied the newest it is done with; only the FSM goroutine writes
	// them. Between the two, entries are being applied, and those who wait for them may have been told.
	begun   atomic.Uint64
	applied atomic.Uint64
	// term is that of applied, passed the newest entry that the present instance has passed, those that were skipped included. Only
	// the FSM goroutine uses them.
	term, passed uint64

	waiting atomic.Int32
	mu      sync.Mutex
	moved   chan struct{} // closed when applied moves and somebody waits
}

// indexed is a state machine that knows which entry it was given last, also after it was restored.
type indexed interface{ Index() uint64 }

func newMachine(fsm raft.FSM, logs *logStore, conflict func(raft.SnapshotMeta), held, marked func(time.Duration)) *machine {
	m := &machine{FSM: fsm, logs: logs, conflict: conflict, held: held, marked: marked, moved: make(chan struct{})}
	m.advanced, m.receiving = func() {}, func() bool { return false }
	m.inTurn = func(restore func() error) error { return restore() }
	m.batching, _ = fsm.(raft.BatchingFSM)
	m.configs, _ = fsm.(raft.ConfigurationStore)
	m.indexed, _ = fsm.(indexed)
	return m
}

// begin makes ready for another instance, before that is made.
func (m *machine) begin() {
	m.running.Store(false)
	m.passed = 0
}

// ApplyBatch implements raft.BatchingFSM.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	last, skip := logs[len(logs)-1].Index, m.seen(logs)
	m.passed = last
	if skip == len(logs) {
		return make([]any, skip)
	}
	if err := m.onDisk(last); err != nil {
		return slices.Repeat([]any{undone{err}}, len(logs))
	}
	start := time.Now()
	m.begun.Store(last)
	out := m.apply(logs[skip:])
	m.held(time.Since(start))
	m.term = logs[len(logs)-1].Term
	m.advance(last)
	if skip > 0 {
		out = append(make([]any, skip), out...)
	}
	return out
}

// onDisk returns when all entries up to last are on this replica's disk.
func (m *machine) onDisk(last uint64) error {
	if m.off.Durable {
		return nil
	}
	return m.logs.durable(last)
}

// seen counts the entries at the beginning of logs that are applied already.
func (m *machine) seen(logs []*raft.Log) int {
	applied := m.applied.Load()
	n := 0
	for n < len(logs) && logs[n].Index <= applied && !m.off.Applied {
		n++
	}
	return n
}

func (m *machine) apply(logs []*raft.Log) []any {
	if m.batching != nil && allCommands(logs) {
		return m.batching.ApplyBatch(logs)
	}
	out := make([]any, len(logs))
	for i, l := range logs {
		switch {
		case l.Type == raft.LogCommand:
			out[i] = m.FSM.Apply(l)
		case l.Type == raft.LogConfiguration && m.configs != nil:
			m.configs.StoreConfiguration(l.Index, raft.DecodeConfiguration(l.Data))
		}
	}
	return out
}

func allCommands(logs []*raft.Log) bool {
	for _, l := range logs {
		if l.Type != raft.LogCommand {
			return false
		}
	}
	return true
}

// Snapshot implements raft.FSM. Raft says of a snapshot that it ends with what the instance has passed. If the state holds more, because
// a restarted instance replays the log, or less, because an entry did not reach the disk, there is none: whoever started from it would
// apply entries twice, or never. Nor is there one while another comes in, when raft's main loop does nothing else, for minutes: a
// snapshot needs it, and would keep the others of the process from theirs.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if applied := m.applied.Load(); m.passed != applied {
		return nil, fmt.Errorf("raft has passed entry %d, the state holds all up to %d", m.passed, applied)
	}
	if m.receiving() {
		return nil, errReceiving
	}
	start := time.Now()
	s, err := m.FSM.Snapshot()
	m.marked(time.Since(start))
	return s, err
}

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	meta, ok := metaOf(r)
	if !ok {
		return fmt.Errorf("restore: raft passed a reader %T that does not lead to a snapshot", r)
	}
	running := m.running.Load()
	switch applied := m.applied.Load(); {
	case m.off.LateSnapshot && running:
	case running && meta.Index < applied && meta.Term > m.term:
		// An entry of a later term at an earlier index: what was applied here is not in the group's log any more. The snapshot is the
		// newest by now, so the next start goes on from it.
		return m.logs.fail.check(fmt.Sprintf("restore a snapshot that ends at %d of term %d, entry %d of term %d is applied", meta.Index, meta.Term, applied, m.term), ErrForgotten)
	case running && meta.Index < applied:
		m.refuse(meta.Index)
		return fmt.Errorf("restore: the snapshot ends at %d, but entry %d is applied already; %w", meta.Index, applied, errLate)
	case !running && meta.Index <= applied:
		m.passed = meta.Index
		return r.Close()
	}
	if err := m.replace(r, running && m.applied.Load() > 0); err != nil {
		return fmt.Errorf("restore snapshot at %d: %w", meta.Index, err)
	}
	if m.indexed != nil && m.indexed.Index() > meta.Index {
		return m.logs.fail.check("restore", fmt.Errorf("the snapshot is said to end at entry %d, but holds entries up to %d: "+
			"remove the folder of the replica that wrote it, and let that join again as a new member", meta.Index, m.indexed.Index()))
	}
	m.passed = meta.Index
	m.begun.Store(meta.Index)
	m.term = meta.Term
	m.advance(meta.Index)
	if running {
		m.installed.Add(1)
		if m.logs.conflicts(meta.Index, meta.Term) {
			m.conflict(meta)
		}
	}
	return nil
}

// replace restores a snapshot; inTurn, when it is this replica's turn.
func (m *machine) replace(r io.ReadCloser, inTurn bool) error {
	m.restoring.Store(true)
	defer m.restoring.Store(false)
	if !inTurn {
		return m.FSM.Restore(r)
	}
	return m.inTurn(func() error { return m.FSM.Restore(r) })
}

func (m *machine) advance(index uint64) {
	m.applied.Store(index)
	m.advanced()
	if m.waiting.Load() > 0 {
		m.mu.Lock()
		close(m.moved)
		m.moved = make(chan struct{})
		m.mu.Unlock()
	}
}

// wait returns when at least index is applied, ctx ends or stop is closed.
func (m *machine) wait(ctx context.Context, index uint64, stop <-chan struct{}) error {
	if m.applied.Load() >= index {
		return nil
	}
	m.waiting.Add(1)
	defer m.waiting.Add(-1)
	for {
		m.mu.Lock()
		moved := m.moved
		m.mu.Unlock()
		if m.applied.Load() >= index {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait until entry %d is applied: %w", index, ctx.Err())
		case <-stop:
			return ErrClosed
		}
	}
}
