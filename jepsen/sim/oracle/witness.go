package oracle

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	"github.com/zeebo/xxh3"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/slot"
)

// Witness watches a node's replica of a group; it is a shardgroup.Witness.
func (o *Oracle) Witness(id slot.GroupID, node string) *Witness {
	return &Witness{o: o, group: id, node: node}
}

// Witness is one replica's, from its start to its end.
type Witness struct {
	o     *Oracle
	group slot.GroupID
	node  string
	// last is the newest index that the replica has applied, now its clock then. Only the applying goroutine uses them.
	last uint64
	now  int64
}

// every is at how many indexes one is whose digest is taken: it costs a millisecond.
const every = 64

// Applied implements shardgroup.Witness.
func (w *Witness) Applied(l *raft.Log, m *fsm.Machine) {
	if l.Index <= w.last {
		w.o.Report("apply order", "group %d: node %s applies entry %d after %d", w.group, w.node, l.Index, w.last)
	}
	w.last = l.Index
	w.clock(m)
	w.o.Applied(w.group, w.node, l)
	if xxh3.HashSeed([]byte{byte(l.Index), byte(l.Index >> 8), byte(l.Index >> 16)}, uint64(w.group))%every == 0 {
		w.compare(m)
	}
}

// Restored implements shardgroup.Witness.
func (w *Witness) Restored(m *fsm.Machine) {
	back := m.Index() < w.last
	if back && !w.o.mayForget(w.group, m.Index(), w.last) {
		w.o.Report("apply order", "group %d: node %s restores a snapshot at %d after it has applied %d", w.group, w.node, m.Index(), w.last)
	}
	w.last = m.Index()
	if back || w.o.lossy(w.group) {
		w.now = m.Now()
		return
	}
	w.clock(m)
	w.compare(m)
}

// lossy reports whether a group has lost entries. A replica may then start with a state that has seen them, from its newest
// snapshot: it is compared with the others once it has applied something. And one that has applied them may be given a
// snapshot of those that went on without them, whose clock is behind.
func (o *Oracle) lossy(id slot.GroupID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.group(id).lost > 0
}

// mayForget reports whether all that a group has applied behind an index, up to the last that a replica has, may be lost. What the group
// has applied behind that is no matter: the replica may have been told by a snapshot of as much that entries up to there are gone.
func (o *Oracle) mayForget(id slot.GroupID, index, last uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.group(id)
	at, _ := g.find(index + 1)
	return !slices.ContainsFunc(g.log[at:], func(e Entry) bool { return e.Index <= last && !g.pardons(e.First) })
}

// clock checks that a replica's clock never goes back: what was seen expired could be seen again.
func (w *Witness) clock(m *fsm.Machine) {
	if now := m.Now(); now < w.now {
		w.o.Report("clock", "group %d: node %s is at time %d after entry %d and was at %d before", w.group, w.node, now, w.last, w.now)
	}
	w.now = m.Now()
}

func (w *Witness) compare(m *fsm.Machine) {
	s := m.Snapshot()
	defer s.Release()
	w.o.Digest(w.group, w.node, m.Index(), s.Digest())
	w.o.owns(w.group, w.node, m)
}

// Applied checks that a committed index has one entry, for ever. It returns when the entry was first applied anywhere.
func (o *Oracle) Applied(id slot.GroupID, node string, l *raft.Log) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries++
	g, e := o.group(id), Entry{Index: l.Index, Term: l.Term, First: time.Since(o.began), sum: sum(l)}
	at, known := g.find(l.Index)
	if known && g.log[at].sum == e.sum && g.log[at].Term == e.Term {
		return
	}
	at = g.agreed(at, place{l.Index, l.Term})
	if at < len(g.log) && !o.lose(g, at) {
		old := g.log[at]
		o.report("committed entries", "group %d: node %s applies entry %d of term %d, and has not entry %d of term %d in its log, which was applied at %.3f s",
			id, node, l.Index, l.Term, old.Index, old.Term, old.First.Seconds())
		return
	}
	e.Data = append([]byte(nil), l.Data...)
	g.log = append(g.log, e)
}

// agreed is how many of the first at committed entries are in the log that leads to an entry, as far as that is known: logs
// are remembered by what is stored behind what.
func (g *group) agreed(at int, from place) int {
	for ; at > 0; at-- {
		want := g.log[at-1]
		for from.index > want.Index {
			before := g.stored[from].before
			if before == 0 {
				return at
			}
			from = place{from.index - 1, before}
		}
		if from.term == want.Term {
			return at
		}
	}
	return at
}

// find is where an index is in the log, or would be.
func (g *group) find(index uint64) (at int, known bool) {
	return slices.BinarySearchFunc(g.log, index, func(e Entry, index uint64) int { return cmp.Compare(e.Index, index) })
}

// lose gives up the entries from at on, if all of them may be lost.
func (o *Oracle) lose(g *group, at int) bool {
	for _, e := range g.log[at:] {
		if !g.pardons(e.First) {
			return false
		}
	}
	g.lost += len(g.log) - at
	g.losses = append(g.losses, span{g.log[at].First, time.Since(o.began)})
	for index := range g.digests {
		if index >= g.log[at].Index {
			delete(g.digests, index)
		}
	}
	g.log = g.log[:at:at]
	return true
}

func (g *group) pardons(t time.Duration) bool {
	return slices.ContainsFunc(g.forgiven, func(s *span) bool { return s.holds(t) })
}

// Forgive lets go what a group has applied since a time, until it is told that this is over: a majority of its replicas has
// lost power before it had synced.
func (o *Oracle) Forgive(id slot.GroupID, since time.Time) (over func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &span{since.Sub(o.began), math.MaxInt64}
	g := o.group(id)
	g.forgiven = append(g.forgiven, s)
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		s.to = min(s.to, time.Since(o.began))
	}
}

// Lost reports whether what a group acknowledged at a time (since the run began) was lost, or may have told of something that
// was.
func (o *Oracle) Lost(id slot.GroupID, at time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.groups[id]
	return g != nil && slices.ContainsFunc(g.losses, func(s span) bool { return s.holds(at) })
}

// Digest checks that all replicas that have reached an index have the same state.
func (o *Oracle) Digest(id slot.GroupID, node string, index uint64, d fsm.Digest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.group(id)
	switch old, known := g.digests[index]; {
	case !known:
		g.digests[index] = d
	case old != d:
		o.report("replica digests", "group %d: node %s has digest %s at index %d, another replica had %s", id, node, d, index, old)
	default:
		o.compared++
	}
}

// owns checks that no slot has two groups. Slots will change hands by what their groups log: a group that serves one
// which another has served before must be able to show that the other gave it away.
func (o *Oracle) owns(id slot.GroupID, node string, m *fsm.Machine) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range m.Owned() {
		for n := int(r.First); n <= int(r.Last); n++ {
			if other := o.owners[n]; other != 0 && other != id {
				o.report("one owner per slot", "node %s: group %d serves slot %d at index %d, and group %d does", node, id, n, m.Index(), other)
				return
			}
			o.owners[n] = id
		}
	}
}
