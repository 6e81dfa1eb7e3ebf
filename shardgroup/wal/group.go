package wal

import (
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// location is where an entry's record lies.
type location struct {
	segment uint32
	offset  uint32
	size    uint32
}

// GroupLog is one group's part of the log: a raft.LogStore.
//
// It does not implement raft.MonotonicLogStore, though its index is dense. Where that reports true, raft deletes every
// entry after it installed a snapshot, those behind the snapshot too: a snapshot that was delayed on the wire would
// then take acknowledged entries (Raft paper §7 keeps them), and it does not end the livelock of
// hashicorp/raft#697 either. Instead, StoreLogs takes a gap for what it is: raft stores behind one only when a durable
// snapshot covers all that lies before, so the entries before the gap are dropped, in the same batch.
type GroupLog struct {
	id  slot.GroupID
	log *Log

	// change is held over each change from its record to the index, so that both have one order.
	change disk.Lock

	mu      sync.RWMutex
	index   window[location]
	recent  window[raft.Log] // the last entries of index; never empty after a store
	removed bool
}

// FirstIndex implements raft.LogStore: 0 if there are no entries.
func (g *GroupLog) FirstIndex() (uint64, error) {
	first, _, err := g.bounds()
	return first, err
}

// LastIndex implements raft.LogStore: 0 if there are no entries.
func (g *GroupLog) LastIndex() (uint64, error) {
	_, last, err := g.bounds()
	return last, err
}

func (g *GroupLog) bounds() (first, last uint64, err error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if err := g.unusable(); err != nil || g.index.len() == 0 {
		return 0, 0, err
	}
	return g.index.first, g.index.next - 1, nil
}

// unusable needs mu, shared at least.
func (g *GroupLog) unusable() error {
	if g.removed {
		return ErrGroupRemoved
	}
	return g.log.unusable()
}

func (g *GroupLog) span() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.index.len()
}

// GetLog implements raft.LogStore. Nobody may write to the Data and Extensions it gives. An entry that does not read
// back is fatal.
func (g *GroupLog) GetLog(index uint64, e *raft.Log) error {
	g.mu.RLock()
	if err := g.unusable(); err != nil || !g.index.has(index) {
		g.mu.RUnlock()
		if err == nil {
			err = raft.ErrLogNotFound
		}
		return err
	}
	if g.recent.has(index) {
		*e = *g.recent.at(index)
		g.mu.RUnlock()
		return nil
	}
	at, last := *g.index.at(index), g.index.next-1
	seg := g.log.segments.get(at.segment)
	seg.reading.RLock() // before mu goes: until then the index keeps the segment from being released
	g.mu.RUnlock()
	err := seg.readEntry(at, g.id, index, e)
	seg.reading.RUnlock()
	if g.log.closed.Load() {
		return ErrClosed // perhaps before the file was read
	}
	if err != nil {
		return g.log.latch.Fail(fmt.Errorf("wal: group %d: read entry %d: %w", g.id, index, err))
	}
	if index == last {
		g.remember(e)
	}
	return nil
}

// remember keeps the last entry, read from the disk after a restart: an idle leader asks for it with every heartbeat.
func (g *GroupLog) remember(e *raft.Log) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.recent.len() == 0 && g.index.len() > 0 && g.index.next-1 == e.Index {
		g.recent.push(e.Index, *e)
	}
}

// readEntry reads the record at a location back and checks that it is the entry meant.
func (s *segment) readEntry(at location, group slot.GroupID, index uint64, e *raft.Log) error {
	b := make([]byte, at.size)
	if _, err := s.file.ReadAt(b, int64(at.offset)); err != nil {
		return fmt.Errorf("segment %s offset %d: %w", s.name, at.offset, err)
	}
	r, n, err := parseRecord(b, s.salt)
	if err != nil || n != len(b) || r.group != group || r.index != index {
		return fmt.Errorf("segment %s offset %d: %w, it read or wrote well before; %s", s.name, at.offset, ErrCorrupt, advice)
	}
	*e = r.entry()
	return nil
}

// StoreLog implements raft.LogStore.
func (g *GroupLog) StoreLog(e *raft.Log) error { return g.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements raft.LogStore. The entries must follow each other and come after the last one stored; a gap to
// it drops the entries before (see GroupLog). It keeps the entries' Data and Extensions without copying them: nobody
// may write to them again. Every error is fatal but that of a removed or closed log, since raft would go on with a
// wrong idea of what is stored.
func (g *GroupLog) StoreLogs(entries []*raft.Log) error {
	g.change.Lock()
	defer g.change.Unlock()
	for len(entries) > 0 {
		n, size := fitting(entries)
		if err := g.store(entries[:n], size); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// fitting is how many of the entries one batch takes, at least one, and the size of their records.
func fitting(entries []*raft.Log) (n int, size int64) {
	size = entrySize(entries[0])
	for n = 1; n < len(entries); n++ {
		next := entrySize(entries[n])
		if size+next > maxBatchBytes {
			break
		}
		size += next
	}
	return n, size
}

func (g *GroupLog) store(entries []*raft.Log, size int64) error {
	_, last, err := g.bounds()
	if err != nil {
		return err
	}
	if err := checkStore(last, entries); err != nil {
		return g.log.latch.Fail(fmt.Errorf("wal: group %d: %w", g.id, err))
	}
	b, err := g.log.join(size + recordPrefixBytes + shortBodyBytes)
	if err != nil {
		return err
	}
	gap := last > 0 && entries[0].Index > last+1
	if gap {
		b.short(kindDropThrough, g.id, last)
	}
	offset := len(b.buf)
	for _, e := range entries {
		b.entry(kindEntry, g.id, e)
	}
	c, err := g.log.commit(b)
	if err != nil {
		return err
	}
	g.publish(entries, c, offset, gap)
	return nil
}

// checkStore is about programs, not disks: raft never stores like this, so whoever does must not go on.
func checkStore(last uint64, entries []*raft.Log) error {
	for i, e := range entries {
		switch {
		case e.Index <= last:
			return fmt.Errorf("store entry %d behind %d: delete the conflicting suffix first", e.Index, last)
		case e.Index != entries[0].Index+uint64(i):
			return fmt.Errorf("store entry %d in the place of %d: entries must follow each other", e.Index, entries[0].Index+uint64(i))
		case entrySize(e) > maxEntryBytes:
			return fmt.Errorf("store entry %d of %d bytes: the limit is %d", e.Index, entrySize(e), maxEntryBytes)
		}
	}
	return nil
}

// publish makes committed entries readable.
func (g *GroupLog) publish(entries []*raft.Log, c committed, offset int, gap bool) {
	memory := int64(0)
	g.mu.Lock()
	if gap {
		g.dropThrough(g.index.next - 1)
	}
	for _, e := range entries {
		size := entrySize(e)
		g.index.push(e.Index, c.place(offset, size))
		g.recent.push(e.Index, *e)
		offset += int(size)
		memory += size + recentOverhead
	}
	g.mu.Unlock()
	g.log.tail.add(g, entries[len(entries)-1].Index, memory)
}

// DeleteRange implements raft.LogStore for what raft deletes: a prefix (compaction) or a suffix (conflict) of the log,
// or all of it. Deleting a suffix is durable when it returns, in Interval too.
func (g *GroupLog) DeleteRange(from, to uint64) error {
	g.change.Lock()
	defer g.change.Unlock()
	first, last, err := g.bounds()
	if err != nil || last == 0 || to < first || from > last || from > to {
		return err
	}
	switch {
	case to >= last:
		err = g.delete(kindDropFrom, max(from, first), true)
	case from <= first:
		err = g.delete(kindDropThrough, to, false)
	default:
		err = g.log.latch.Fail(fmt.Errorf("wal: group %d: delete %d-%d out of the middle of %d-%d: raft deletes only at the ends",
			g.id, from, to, first, last))
	}
	g.log.kickCleaner()
	return err
}

func (g *GroupLog) delete(k kind, index uint64, sync bool) error {
	b, err := g.log.join(recordPrefixBytes + shortBodyBytes)
	if err != nil {
		return err
	}
	b.short(k, g.id, index)
	b.sync = b.sync || sync
	if _, err := g.log.commit(b); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if k == kindDropThrough {
		g.dropThrough(index)
	} else {
		g.dropFrom(index)
	}
	g.removed = k == kindRemoveGroup
	return nil
}

func (g *GroupLog) remove() error {
	g.change.Lock()
	defer g.change.Unlock()
	if _, _, err := g.bounds(); err != nil {
		return err
	}
	return g.delete(kindRemoveGroup, 0, true)
}

// dropThrough and dropFrom need mu.
func (g *GroupLog) dropThrough(last uint64) {
	for i := g.index.first; i < g.index.next && i <= last; i++ {
		g.log.segments.unuse(*g.index.at(i))
	}
	g.index.dropThrough(last)
	g.recent.dropThrough(last)
}

func (g *GroupLog) dropFrom(index uint64) {
	for i := max(index, g.index.first); i < g.index.next; i++ {
		g.log.segments.unuse(*g.index.at(i))
	}
	g.index.dropFrom(index)
	g.recent.dropFrom(index)
}

// trimRecent forgets the entries up to and with last, but for the newest of the log.
func (g *GroupLog) trimRecent(last uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.recent.len() > 0 {
		g.recent.dropThrough(min(last, g.recent.next-2))
	}
}

var _ raft.LogStore = (*GroupLog)(nil)
