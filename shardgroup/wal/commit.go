package wal

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// join gives the open batch to add at most n bytes of records to; it returns with l.mu held, for commit to release.
// A store that finds the batch full waits: one of those in it is about to write it.
func (l *Log) join(n int64) (*batch, error) {
	l.mu.Lock()
	for {
		if err := l.unusable(); err != nil {
			l.mu.Unlock()
			return nil, err
		}
		if l.open == nil {
			l.open = l.freeBatch()
		}
		if b := l.open; b.empty() || int64(len(b.buf))+n <= maxBatchBytes {
			b.stores++
			b.left++
			return b, nil
		}
		l.turn.Wait()
	}
}

func (l *Log) freeBatch() *batch {
	if n := len(l.free); n > 0 {
		b := l.free[n-1]
		l.free = l.free[:n-1]
		return b
	}
	b := new(batch)
	b.reset()
	return b
}

// commit waits until b, which join gave, is written and, if so configured, synced. The first store that finds nobody
// writing does it for all that joined; those who come meanwhile gather in the next batch. There is no writer goroutine
// to hand over to: an idle log commits in the caller's own time slice.
func (l *Log) commit(b *batch) (committed, error) {
	defer l.mu.Unlock()
	for !b.done {
		if err := l.latch.Err(); err != nil {
			return committed{}, err // b may still be in use by a write that hangs; it is lost, as all is
		}
		if l.writing {
			l.turn.Wait()
			continue
		}
		l.writing, l.open = true, nil
		l.mu.Unlock()
		err := l.write(b)
		l.mu.Lock()
		l.writing, b.done, b.err = false, true, err
		l.turn.Broadcast()
	}
	result, err := committed{b.seg, b.at}, b.err
	if b.left--; b.left == 0 && err == nil {
		b.reset()
		l.free = append(l.free, b)
	}
	return result, err
}

// write puts b at the end of the log. Only the goroutine that set l.writing calls it, without locks.
func (l *Log) write(b *batch) error {
	if l.end+int64(len(b.buf))+8 > l.active.Load().size {
		if err := l.rotate(int64(len(b.buf)) + 8); err != nil {
			return l.latch.Fail(fmt.Errorf("wal: begin a new segment: %w", err))
		}
	}
	seg, sequence, synced, seal := l.active.Load(), l.last+1, l.synced.Load(), b.empty()
	b.finish(seg.salt, sequence, synced)
	report := Commit{Stores: b.stores, Entries: b.entries, Bytes: len(b.buf)}
	start := l.observed()
	durable, err := l.put(seg.file, b.buf)
	if err != nil {
		return err
	}
	report.Write = l.observed().Sub(start)
	b.seg, b.at = seg, l.end
	seg.live.Add(b.entryBytes)
	l.last, l.end = sequence, l.end+int64(len(b.buf))
	l.sealed.Store(seal && synced >= l.written.Load())
	if !seal {
		l.written.Store(sequence)
	}
	switch {
	case durable:
		l.countSynced()
		report.Write, report.Sync = 0, report.Write
	case (l.opts.Durability == Always || b.sync) && !offSync:
		if err := l.syncWritten(); err != nil {
			return err
		}
		report.Sync = l.observed().Sub(start) - report.Write
	}
	l.count(report, seg)
	return nil
}

// put writes b at the end of the log, and reports whether it is then on the disk.
func (l *Log) put(f disk.File, b []byte) (durable bool, err error) {
	for at := l.end; len(b) > 0; {
		piece := b[:min(len(b), watchedBytes)]
		l.writeWatch.Start()
		durable, err = l.putPiece(f, piece, at)
		if err := l.writeWatch.Done(err); err != nil {
			return false, err
		}
		b, at = b[len(piece):], at+int64(len(piece))
	}
	return durable, nil
}

// putPiece writes b. In Always, all batches of a file that can bring bytes to the disk in one step are written so, seals too: it
// does not mix well with other writes.
func (l *Log) putPiece(f disk.File, b []byte, at int64) (durable bool, err error) {
	if w, ok := f.(disk.SyncWriter); ok && l.opts.Durability == Always && !offSync && !offFailStop {
		return true, w.WriteSync(b, at)
	}
	_, err = f.WriteAt(b, at)
	return false, err
}

// observed is the time, for Options.Observe; without one nobody asks the clock.
func (l *Log) observed() (now time.Time) {
	if l.opts.Observe != nil {
		now = time.Now()
	}
	return now
}

func (l *Log) count(c Commit, seg *segment) {
	l.commits.Add(1)
	l.stores.Add(uint64(c.Stores))
	l.entries.Add(uint64(c.Entries))
	l.bytes.Add(uint64(c.Bytes))
	if l.opts.Observe != nil {
		l.opts.Observe(c)
	}
	l.fill(seg)
}

// fill notes how full the active segment is, and has done in time what stores would wait for when the next one begins: it needs
// a file, and this one synced, which takes 13 to 30 ms for all that a busy second brings.
func (l *Log) fill(seg *segment) {
	before := l.filled.Swap(l.end)
	if l.end > seg.size/4 && l.wantsSpare.CompareAndSwap(false, true) {
		l.kickCleaner()
	}
	if nearly := seg.size - seg.size/32; l.opts.Durability == Interval && before <= nearly && l.end > nearly {
		select {
		case l.nearlyFull <- struct{}{}:
		default:
		}
	}
}

// syncWritten makes every batch written so far durable, seals aside. That they are is recorded only here, after the
// disk said so: later batch headers bear witness to it.
func (l *Log) syncWritten() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	// In this order: rotate syncs the old segment, under this lock, before it publishes the new one. So what is
	// written and not yet synced lies in the segment that is active now.
	sequence := l.written.Load()
	if l.synced.Load() >= sequence {
		return l.latch.Err()
	}
	l.syncWatch.Start()
	err := l.active.Load().file.Sync()
	if offFailStop {
		err = nil
	}
	if err := l.syncWatch.Done(err); err != nil {
		return err
	}
	l.syncs.Add(1)
	l.synced.Store(sequence)
	return nil
}

// countSynced takes note that every batch written so far is durable, seals too, since each was when its write ended. The goroutine that
// writes calls it.
func (l *Log) countSynced() {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.syncs.Add(1)
	l.synced.Store(l.last)
}

// Sync returns when everything stored before it is on the disk.
func (l *Log) Sync() error {
	if err := l.unusable(); err != nil {
		return err
	}
	return l.syncWritten()
}

// seal writes an empty batch whose header says that all before it was synced. Without it, damage to the very last
// batch would look like a write cut short by a crash. It needs no sync itself: it proves something if it is there.
func (l *Log) seal() error {
	b, err := l.join(0)
	if err != nil {
		return err
	}
	b.stores-- // nobody's store
	_, err = l.commit(b)
	return err
}
