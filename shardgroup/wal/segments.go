package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
)

// segmentTable holds the log's segments, oldest first, numbered without a gap, and the spare files.
type segmentTable struct {
	mu     sync.RWMutex
	list   []*segment
	spares []spare
	next   uint32 // number in the next spare's name
}

// spare is a file of zeros, or of a segment that went, ready to become a segment.
type spare struct {
	name string
	size int64
}

// get is the segment of a number in the table.
func (t *segmentTable) get(number uint32) *segment {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.list[number-t.list[0].number]
}

// unuse notes that no group needs the entry record at this place any more.
func (t *segmentTable) unuse(at location) { t.get(at.segment).live.Add(-int64(at.size)) }

func (t *segmentTable) add(s *segment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, s)
}

// oldest is the first segment, nil if that is the active one too.
func (t *segmentTable) oldest() *segment {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.list) < 2 {
		return nil
	}
	return t.list[0]
}

// idle lists the oldest segments that no group needs, up to the first one that is needed or active.
func (t *segmentTable) idle() []*segment {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := 0
	for n < len(t.list)-1 && t.list[n].live.Load() == 0 {
		n++
	}
	return t.list[:n:n]
}

// cut takes the n oldest segments out.
func (t *segmentTable) cut(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append([]*segment(nil), t.list[n:]...)
}

// usage counts files and their bytes, spares too, and the bytes of entries that are needed.
func (t *segmentTable) usage() (files int, disk, live int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, s := range t.list {
		disk += s.size
		live += s.live.Load()
	}
	for _, s := range t.spares {
		disk += s.size
	}
	return len(t.list) + len(t.spares), disk, live
}

// close waits for readers.
func (t *segmentTable) close() error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var err error
	for _, s := range t.list {
		err = errors.Join(err, s.close())
	}
	return err
}

// putSpare keeps a spare for later.
func (t *segmentTable) putSpare(s spare) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spares = append(t.spares, s)
}

// takeSpare gives a spare of exactly this size, if there is one.
func (t *segmentTable) takeSpare(size int64) (spare, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, s := range t.spares {
		if s.size == size {
			t.spares = append(t.spares[:i], t.spares[i+1:]...)
			return s, true
		}
	}
	return spare{}, false
}

func (t *segmentTable) spareCount() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.spares)
}

// newSpareName is a name that no spare in the directory has.
func (t *segmentTable) newSpareName() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	return spareName(t.next)
}

// rotate makes a new segment the active one, with room for need bytes of batches. Only the goroutine that set l.writing
// calls it.
func (l *Log) rotate(need int64) error {
	l.written.Store(l.last) // the last batch may be a seal: that another segment follows says of it, too, that it is on the disk
	if err := l.syncWritten(); err != nil {
		return err
	}
	number := l.active.Load().number + 1
	l.writeWatch.Start()
	seg, err := l.activate(number, max(l.opts.SegmentBytes, segmentHeaderBytes+need))
	if err := l.writeWatch.Done(err); err != nil {
		return err
	}
	l.segments.add(seg)
	l.active.Store(seg)
	l.end = segmentHeaderBytes
	l.filled.Store(l.end)
	l.wantsSpare.Store(false)
	l.kickCleaner()
	return nil
}

// activate gives a file the header of segment number and then its name, both durable, each before the next step.
func (l *Log) activate(number uint32, size int64) (*segment, error) {
	sp, ok := l.segments.takeSpare(size)
	if !ok {
		var err error
		var moves func() error
		if size > l.opts.SegmentBytes {
			moves = l.moves // for a large entry
		}
		if sp, err = l.createSpare(size, moves); err != nil {
			return nil, err
		}
	}
	f, err := l.fs.Open(sp.name)
	if err != nil {
		return nil, err
	}
	s := &segment{number: number, salt: newSalt(), first: l.last + 1, size: size, name: segmentName(number), file: f}
	_, err = f.WriteAt(s.header(), 0)
	for _, step := range []func() error{
		f.Sync,
		func() error { return l.fs.Rename(sp.name, s.name) },
		l.fs.SyncDir,
	} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// moves tells the write watch that the write under way is not stuck.
func (l *Log) moves() error {
	err := l.writeWatch.Done(nil)
	l.writeWatch.Start()
	return err
}

// createSpare makes a new file of zeros, synced: else the first batch's sync would have to write all that makes it one. For
// pause see disk.FS.
func (l *Log) createSpare(size int64, pause func() error) (spare, error) {
	sp := spare{name: l.segments.newSpareName(), size: size}
	f, err := l.fs.Create(sp.name, size, pause)
	if err != nil {
		return spare{}, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return spare{}, errors.Join(err, l.fs.Remove(sp.name))
	}
	return sp, nil
}

func newSalt() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return binary.LittleEndian.Uint64(b[:])
}
