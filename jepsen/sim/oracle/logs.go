package oracle

import (
	"errors"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
)

// Watch returns a node's log of a group whose entries the oracle sees before they are stored.
func (o *Oracle) Watch(id slot.GroupID, node string, logs raft.LogStore) raft.LogStore {
	return &watched{LogStore: logs, o: o, group: id, node: node}
}

type watched struct {
	raft.LogStore
	o     *Oracle
	group slot.GroupID
	node  string
}

// StoreLog implements raft.LogStore.
func (w *watched) StoreLog(l *raft.Log) error { return w.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (w *watched) StoreLogs(entries []*raft.Log) error {
	if len(entries) > 0 {
		w.o.stores(w.group, w.node, entries, w.termBefore(entries[0].Index))
	}
	return w.LogStore.StoreLogs(entries)
}

// termBefore is the term of the entry before index in this log, 0 if it is not there.
func (w *watched) termBefore(index uint64) uint64 {
	if index <= 1 {
		return 0
	}
	var l raft.Log
	if err := w.LogStore.GetLog(index-1, &l); err != nil || errors.Is(err, raft.ErrLogNotFound) {
		return 0
	}
	return l.Term
}

// stores checks Raft's log matching, by induction: an entry of one index and term is the same in every log, and so is the
// term of the entry before it.
func (o *Oracle) stores(id slot.GroupID, node string, entries []*raft.Log, before uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.group(id)
	for _, l := range entries {
		at, now := place{l.Index, l.Term}, stored{sum(l), before}
		old, known := g.stored[at]
		switch {
		case known && old.sum != now.sum:
			o.report("log matching", "group %d: node %s stores another entry %d of term %d than was stored before", id, node, l.Index, l.Term)
		case known && old.before != 0 && before != 0 && old.before != before:
			o.report("log matching", "group %d: node %s stores entry %d of term %d behind one of term %d, elsewhere it is behind term %d",
				id, node, l.Index, l.Term, before, old.before)
		case before > l.Term:
			o.report("log matching", "group %d: node %s stores entry %d of term %d behind term %d", id, node, l.Index, l.Term, before)
		}
		if !known || old.before == 0 {
			g.stored[at] = now
		}
		before = l.Term
	}
}
