package wal

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/quorate/quorate/fsm/slot"
)

// advice follows every report of damage.
const advice = "entries that this node has acknowledged may be gone, so it must not take part with this data: " +
	"start it with an empty data folder, as a new node, and move its groups there (quorate group add-replica, remove-replica), or restore the file from a copy made while the node was down"

// load reads the log, if there is one, and begins a new segment: what a crash left behind the end of the old one can
// then never be taken for what comes next.
func (l *Log) load() error {
	numbers, err := l.listFiles()
	if err != nil {
		return err
	}
	r := replay{groups: map[slot.GroupID]map[uint64]location{}}
	number := uint32(1)
	if len(numbers) > 0 {
		if err := l.replay(&r, numbers); err != nil {
			return err
		}
		number = numbers[len(numbers)-1] + 1
		if err := l.index(&r); err != nil {
			return err
		}
	}
	l.written.Store(l.last)
	l.synced.Store(l.last)
	l.sealed.Store(true) // the header of the new segment vouches for all before it
	seg, err := l.activate(number, l.opts.SegmentBytes)
	if err != nil {
		return fmt.Errorf("begin segment %s: %w", segmentName(number), err)
	}
	l.segments.add(seg)
	l.active.Store(seg)
	l.end = segmentHeaderBytes
	l.kickCleaner()
	return nil
}

// listFiles gives the numbers of the segment files in order, and takes over the spare files that are of use.
func (l *Log) listFiles() ([]uint32, error) {
	names, err := l.fs.List()
	if err != nil {
		return nil, err
	}
	var numbers []uint32
	var spares []string
	for _, name := range names {
		if n, ok := parseName(name, segmentSuffix); ok {
			numbers = append(numbers, n)
		}
		if n, ok := parseName(name, spareSuffix); ok {
			spares = append(spares, name)
			l.segments.next = max(l.segments.next, n)
		}
	}
	if len(spares) > 0 {
		// A process that was killed may not have come to it: see release.
		if err := l.fs.SyncDir(); err != nil {
			return nil, err
		}
	}
	for _, name := range spares {
		if err := l.adoptSpare(name); err != nil {
			return nil, err
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (l *Log) adoptSpare(name string) error {
	f, err := l.fs.Open(name)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if size != l.opts.SegmentBytes || l.segments.spareCount() >= maxSpares {
		return l.fs.Remove(name)
	}
	l.segments.putSpare(spare{name, size})
	return nil
}

// replay is the state that the records leave behind. Within a group, the record of a moved entry may come behind those
// of later ones, so an index may have holes until the end.
type replay struct {
	groups map[slot.GroupID]map[uint64]location
	needed uint64 // number of the first segment that is needed
}

// replay reads the newest unbroken run of segments. Older ones before a gap are left-overs of a release that a crash
// interrupted, or else an error.
func (l *Log) replay(r *replay, numbers []uint32) error {
	start := len(numbers) - 1
	for start > 0 && numbers[start-1] == numbers[start]-1 {
		start--
	}
	for _, n := range numbers[start:] {
		s, err := openSegment(l.fs, n)
		if err != nil {
			return fmt.Errorf("%w; %s", err, advice)
		}
		l.segments.add(s)
	}
	list := l.segments.list
	l.last = list[0].first - 1
	for i, s := range list {
		next := uint64(0)
		if i+1 < len(list) {
			next = list[i+1].first
		}
		if err := l.replaySegment(r, s, next); err != nil {
			return err
		}
	}
	return l.checkRelease(r, numbers[:start], numbers[start])
}

// checkRelease compares what was found with what the last release left: all from r.needed on.
func (l *Log) checkRelease(r *replay, before []uint32, start uint32) error {
	if needed := max(uint32(r.needed), 1); start > needed {
		return fmt.Errorf("%w: segments from %s on are needed, but %s is missing; %s",
			ErrCorrupt, segmentName(needed), segmentName(start-1), advice)
	}
	for _, n := range before {
		if err := l.fs.Remove(segmentName(n)); err != nil {
			return err
		}
	}
	return nil
}

// replaySegment applies the batches of s. next is the first batch of the following segment, 0 if there is none.
func (l *Log) replaySegment(r *replay, s *segment, next uint64) error {
	scan := scanner{s: s, offset: segmentHeaderBytes, sequence: l.last + 1}
	if s.first != scan.sequence {
		return fmt.Errorf("%w: segment %s begins with batch %d, not %d; %s", ErrCorrupt, s.name, s.first, scan.sequence, advice)
	}
	for scan.sequence != next && scan.next() {
		if err := r.apply(s, scan.records, scan.recordsAt); err != nil {
			return fmt.Errorf("segment %s offset %d: %w", s.name, scan.recordsAt, err)
		}
	}
	l.last = scan.sequence - 1
	switch {
	case scan.err != nil:
		return fmt.Errorf("read segment %s: %w", s.name, scan.err)
	case next == 0:
		return l.checkEnd(&scan)
	case scan.sequence != next:
		return fmt.Errorf("%w: segment %s offset %d: batch %d does not read back, but batch %d follows in the next segment; %s",
			ErrCorrupt, s.name, scan.offset, scan.sequence, next, advice)
	}
	return nil
}

// checkEnd decides whether the log ends where scan stopped, and makes what was read durable.
func (l *Log) checkEnd(scan *scanner) error {
	witness, found, err := scan.witness()
	if err != nil {
		return fmt.Errorf("read segment %s: %w", scan.s.name, err)
	}
	if found {
		return fmt.Errorf("%w: segment %s offset %d: batch %d does not read back, but the batch at offset %d, written later, says that it was on the disk; %s",
			ErrCorrupt, scan.s.name, scan.offset, scan.sequence, witness, advice)
	}
	if err := scan.rewriteUnproven(); err != nil {
		return fmt.Errorf("sync segment %s: %w", scan.s.name, err)
	}
	return nil
}

// apply replays the records of one batch; at is their offset in s.
func (r *replay) apply(s *segment, b []byte, at int64) error {
	for len(b) > 0 && !padding(b) {
		rec, n, err := parseRecord(b, s.salt)
		if err != nil {
			return err // not damage, which scan has found: a record of a newer version
		}
		if err := r.applyRecord(rec, location{s.number, uint32(at), uint32(n)}); err != nil {
			return err
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

func (r *replay) applyRecord(rec record, at location) error {
	g := r.groups[rec.group]
	switch rec.kind {
	case kindEntry, kindMoved:
		if g == nil {
			g = map[uint64]location{}
			r.groups[rec.group] = g
		}
		if _, has := g[rec.index]; has && rec.kind == kindEntry {
			return fmt.Errorf("%w: group %d stores entry %d twice", ErrCorrupt, rec.group, rec.index)
		}
		g[rec.index] = at
	case kindDropFrom:
		maps.DeleteFunc(g, func(i uint64, _ location) bool { return i >= rec.index })
	case kindDropThrough:
		maps.DeleteFunc(g, func(i uint64, _ location) bool { return i <= rec.index })
	case kindRemoveGroup:
		delete(r.groups, rec.group)
	case kindRelease:
		r.needed = rec.index
	}
	return nil
}

// index builds the groups' handles.
func (l *Log) index(r *replay) error {
	for id, entries := range r.groups {
		g := l.Group(id)
		for _, i := range slices.Sorted(maps.Keys(entries)) {
			if g.index.len() > 0 && i != g.index.next {
				return fmt.Errorf("%w: group %d has entry %d and then %d; %s", ErrCorrupt, id, g.index.next-1, i, advice)
			}
			g.index.push(i, entries[i])
			l.segments.get(entries[i].segment).live.Add(int64(entries[i].size))
		}
	}
	return nil
}
