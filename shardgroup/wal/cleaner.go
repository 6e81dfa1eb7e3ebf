package wal

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

const (
	maxSpares       = 2
	relocationBytes = 1 << 20 // entries copied in one go, at most: a group's own stores wait for that long
)

func (l *Log) kickCleaner() {
	select {
	case l.kick <- struct{}{}:
	default: // it will look at everything anyway
	}
}

func (l *Log) runCleaner() {
	for {
		select {
		case <-l.stop:
			return
		case <-l.kick:
		}
		if err := l.clean(); err != nil {
			l.latch.Fail(fmt.Errorf("wal: free old segments: %w", err))
			return
		}
		l.spareInTime()
	}
}

// clean frees the oldest segments that no group needs. Segments go strictly from the oldest on: a record that deletes
// entries may then go with its segment, since whatever it deleted went before. One idle group could so hold the whole
// log back; when the disk holds over twice what is needed, its entries are copied to the end of the log.
func (l *Log) clean() error {
	for {
		if err := l.release(); err != nil {
			return err
		}
		oldest := l.segments.oldest()
		if oldest == nil || !l.wasteful() {
			return nil
		}
		if err := l.relocate(oldest); err != nil {
			return err
		}
		if oldest.live.Load() > 0 {
			return nil // a store has not published its entries yet; the next kick or tick finds them
		}
	}
}

// wasteful bounds the disk to twice the needed bytes and three segments, spares aside. Each entry is copied at most
// once for every time that as many bytes as are needed have become useless.
func (l *Log) wasteful() bool {
	_, disk, live := l.segments.usage()
	spare := int64(l.segments.spareCount()) * l.opts.SegmentBytes
	return disk-spare > 2*live+3*l.opts.SegmentBytes
}

// release frees the oldest segments, as many as nobody needs. First a durable record says from where on the log is
// needed: a crash may then leave any of the files behind, and Open can tell a file that went from one that is missing.
func (l *Log) release() error {
	idle := l.segments.idle()
	if len(idle) == 0 {
		return nil
	}
	b, err := l.join(recordPrefixBytes + shortBodyBytes)
	if err != nil {
		return err
	}
	b.short(kindRelease, 0, uint64(idle[len(idle)-1].number)+1)
	b.sync = true
	if _, err := l.commit(b); err != nil {
		return err
	}
	l.segments.cut(len(idle))
	var useful, useless []*segment
	for _, s := range idle {
		if s.size == l.opts.SegmentBytes && l.segments.spareCount()+len(useful) < maxSpares {
			useful = append(useful, s)
		} else {
			useless = append(useless, s)
		}
	}
	if err := l.keep(useful); err != nil {
		return err
	}
	// These last: a store may need a spare soon, and to remove a file takes a tenth of a second.
	for _, s := range useless {
		if err := errors.Join(s.close(), l.fs.Remove(s.name)); err != nil {
			return err
		}
	}
	return nil
}

// keep makes spares of segments for later ones: their blocks are allocated, and mostly written.
func (l *Log) keep(idle []*segment) error {
	if len(idle) == 0 {
		return nil
	}
	spares := make([]spare, len(idle))
	for i, s := range idle {
		spares[i] = spare{name: l.segments.newSpareName(), size: s.size}
		if err := errors.Join(s.close(), l.fs.Rename(s.name, spares[i].name)); err != nil {
			return err
		}
	}
	// Before a spare is used again: a crash must not find its new header under its old name.
	if err := l.fs.SyncDir(); err != nil {
		return err
	}
	for _, sp := range spares {
		l.segments.putSpare(sp)
	}
	return nil
}

// spareInTime makes a spare when the active segment is full by a quarter, so that rotate does not have to. Begun when it was half
// full, five of nine came too late with pipelines of 64 and one processor per node. If there is no room,
// recycling may yet give one before rotate needs it; rotate's own failure is fatal.
func (l *Log) spareInTime() {
	if l.segments.spareCount() > 0 || !l.wantsSpare.Load() {
		return
	}
	if sp, err := l.createSpare(l.opts.SegmentBytes, l.giveWay()); err == nil {
		l.segments.putSpare(sp)
	}
}

var errStopped = errors.New("wal: the log is being closed")

// leastRest is the shortest rest between two MiB of a spare.
const leastRest = 4 * time.Millisecond

// giveWay returns a pause four times as long as the work before it. Stores, whose syncs the disk makes in turn with a spare's
// writes, would otherwise wait until all of it is there: 110 ms for 64 MiB, once per segment, with three nodes on one disk,
// where the 99.9th percentile of pipelines of 16 SETs is 30 ms since. But a spare that is behind the segment that it is to follow gets
// no pause: rotate would have to make one while all stores wait, 0.1 s for 64 MiB.
func (l *Log) giveWay() func() error {
	since, made := time.Now(), int64(0)
	return func() error {
		if made += disk.PauseBytes; 3*made < 4*l.filled.Load()-l.opts.SegmentBytes {
			return l.unusable()
		}
		select {
		case <-time.After(max(4*time.Since(since), leastRest)):
		case <-l.stop:
			return errStopped
		}
		since = time.Now()
		return nil
	}
}

// relocate copies the entries of s that are needed to the end of the log.
func (l *Log) relocate(s *segment) error {
	for _, g := range l.handles() {
		for more := true; more; {
			var err error
			if more, err = g.relocate(s); err != nil {
				return fmt.Errorf("group %d: %w", g.id, err)
			}
		}
	}
	return nil
}

func (l *Log) relocationBytes() int64 { return min(relocationBytes, l.opts.SegmentBytes/4) }

// relocate copies up to relocationBytes of the group's entries out of s and reports whether it copied any.
func (g *GroupLog) relocate(s *segment) (bool, error) {
	g.change.Lock() // keeps the index as it is; readers go on
	defer g.change.Unlock()
	entries, err := g.entriesIn(s)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	b, err := g.log.join(g.log.relocationBytes())
	if err != nil {
		return false, err
	}
	offsets := make([]int, len(entries))
	for i := range entries {
		offsets[i] = b.entry(kindMoved, g.id, &entries[i])
	}
	c, err := g.log.commit(b)
	if err != nil {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range entries {
		at := g.index.at(entries[i].Index)
		g.log.segments.unuse(*at)
		*at = c.place(offsets[i], int64(at.size))
	}
	g.log.relocated.Add(uint64(len(entries)))
	return true, nil
}

// entriesIn reads the first of the group's entries that lie in s, at least one if there are any.
func (g *GroupLog) entriesIn(s *segment) (entries []raft.Log, err error) {
	size := int64(0)
	for i := g.index.first; i < g.index.next; i++ {
		at := *g.index.at(i)
		if at.segment != s.number {
			continue
		}
		if size += int64(at.size); size > g.log.relocationBytes() && len(entries) > 0 {
			break
		}
		var e raft.Log
		if err := s.readEntry(at, g.id, i, &e); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}
