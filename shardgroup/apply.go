package shardgroup

import (
	"fmt"
	"io"
	"math"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// markBatch is the batch id of entries without ops that tell replicas to note the digest of their state. No proposal with
// calls gets it.
const markBatch = math.MaxUint64

// Witness sees every state of a replica. Its methods are called by the applying goroutine, before anybody is told what an
// entry did, and may use m as that goroutine may.
type Witness interface {
	// Applied: m is the state after entry l.
	Applied(l *raft.Log, m *fsm.Machine)
	// Restored: m is the state of a snapshot.
	Restored(m *fsm.Machine)
}

// applier is the machine as Raft sees it. Raft calls it from one goroutine at a time.
type applier struct {
	g *Group
	// Reused between entries.
	entry   entry.Entry
	discard reply.Writer
	results []any
	done    []*Call
	// ahead lists the entry's ops for the machine.
	ahead []*entry.Op
}

func newApplier(g *Group) *applier { return &applier{g: g, discard: reply.Writer{Discard: true}} }

// Apply implements raft.FSM.
func (a *applier) Apply(l *raft.Log) any {
	a.apply(l)
	return nil
}

// ApplyBatch implements raft.BatchingFSM.
func (a *applier) ApplyBatch(logs []*raft.Log) []any {
	for _, l := range logs {
		if l.Type == raft.LogCommand {
			a.apply(l)
		}
	}
	for len(a.results) < len(logs) {
		a.results = append(a.results, nil)
	}
	return a.results[:len(logs)]
}

// apply executes one entry: as the batch that this replica proposed and whose calls wait, else from its bytes. Both ways
// execute the same writes in the same order; only the first also executes the reads that ride along.
func (a *applier) apply(l *raft.Log) {
	if a.applyPending(l) {
		for _, c := range a.done {
			c.Done(c)
		}
		clear(a.done)
		a.done = a.done[:0]
		return
	}
	if err := entry.Decode(l.Data, &a.entry); err != nil {
		a.g.cfg.Fatal(fmt.Errorf("group %d: committed entry %d: %w", a.g.cfg.ID, l.Index, err))
		return
	}
	m := a.g.machine
	if offLogTime {
		a.entry.Now = a.g.clock.wall()
	}
	m.Begin(l.Index, a.entry.Now)
	a.announce(a.entry.Ops)
	m.Ahead(a.ahead)
	for i := range a.entry.Ops {
		m.Do(&a.entry.Ops[i], &a.discard)
	}
	a.evictHere(l)
	m.End()
	a.forget()
	a.witness(l)
	if a.entry.Batch == markBatch {
		a.g.marks.take(l.Index, m.Snapshot())
	}
}

// evictHere evicts by this replica's own choice. Only a test of those who should notice does that.
func (a *applier) evictHere(l *raft.Log) {
	if !offEvictionInLog {
		return
	}
	m := a.g.machine
	const room = 64 << 10 // or writes are refused before anything is over the limit
	if op, _, ok := m.Victims(room, maxVictims, m.Now(), l.Index); ok {
		m.Do(&op, &a.discard)
	}
}

func (a *applier) witness(l *raft.Log) {
	if w := a.g.cfg.Witness; w != nil {
		w.Applied(l, a.g.machine)
	}
}

// applyPending executes l as the pending batch if it is that one.
func (a *applier) applyPending(l *raft.Log) bool {
	g := a.g
	g.pendingMu.Lock()
	defer g.pendingMu.Unlock()
	b := g.pending
	if b == nil || !b.is(l.Data, func() uint64 { return a.batchOf(l) }) {
		return false
	}
	g.pending = nil
	g.machine.Begin(l.Index, b.now)
	a.announce(b.prefix)
	for _, p := range b.parts {
		a.announce(p.call.Ops[p.from:p.to])
	}
	g.machine.Ahead(a.ahead)
	for i := range b.prefix {
		g.machine.Do(&b.prefix[i], &a.discard)
	}
	for _, p := range b.parts {
		g.answer(p)
	}
	a.evictHere(l)
	g.machine.End()
	a.forget()
	a.witness(l)
	for _, p := range b.parts[:b.whole] {
		a.done = append(a.done, p.call)
	}
	_, b.behind = g.queue.wanted()
	return true
}

// announce adds to what the machine is told of beforehand.
func (a *applier) announce(ops []entry.Op) {
	for i := range ops {
		a.ahead = append(a.ahead, &ops[i])
	}
}

func (a *applier) forget() {
	clear(a.ahead)
	a.ahead = a.ahead[:0]
}

func (a *applier) batchOf(l *raft.Log) uint64 {
	if err := entry.Decode(l.Data, &a.entry); err != nil {
		return 0 // apply decodes it again and reports
	}
	return a.entry.Batch
}

// answer executes a part of a call and writes its replies.
func (g *Group) answer(p part) {
	c := p.call
	g.observer.origin = c.Origin
	for i := p.from; i < p.to; i++ {
		if g.machine.Do(&c.Ops[i], &c.Out) == fsm.NotOwned {
			c.Moved = append(c.Moved, i)
		}
		c.Ends = append(c.Ends, len(c.Out.Buf))
	}
	g.observer.origin = 0
}

// setPending makes b the batch that apply looks for.
func (g *Group) setPending(b *batch) {
	g.pendingMu.Lock()
	defer g.pendingMu.Unlock()
	g.pending = b
}

// takePending takes b back, unless it was applied.
func (g *Group) takePending(b *batch) bool {
	g.pendingMu.Lock()
	defer g.pendingMu.Unlock()
	if g.pending != b {
		return false
	}
	g.pending = nil
	return true
}

// Snapshot implements raft.FSM.
func (a *applier) Snapshot() (raft.FSMSnapshot, error) {
	return image{a.g.machine.Snapshot(), a.g.cfg.Consensus.Turn}, nil
}

// Index is the entry that the state is that of; see consensus.Config.
func (a *applier) Index() uint64 { return a.g.machine.Index() }

// Restore implements raft.FSM.
func (a *applier) Restore(r io.ReadCloser) error {
	if err := a.g.machine.Restore(r); err != nil {
		return fmt.Errorf("group %d: %w", a.g.cfg.ID, err)
	}
	if w := a.g.cfg.Witness; w != nil {
		w.Restored(a.g.machine)
	}
	return r.Close()
}

type image struct {
	*fsm.Snapshot
	turn *consensus.Turn
}

// Persist implements raft.FSMSnapshot.
func (i image) Persist(sink raft.SnapshotSink) error {
	i.Rest = newPace(snapshotSlice, i.turn.Waiting).rest
	if _, err := i.WriteTo(sink); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return sink.Close()
}
