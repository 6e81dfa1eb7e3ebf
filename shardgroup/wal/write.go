package wal

import (
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// write puts b, which has its place, into the log. It holds no locks.
func (l *Log) write(b *batch) error {
	b.finish()
	report := Commit{Stores: b.stores, Entries: b.entries, Bytes: len(b.buf)}
	start := l.observed()
	b.watch.Start()
	if err := b.watch.Done(l.put(b)); err != nil {
		return err
	}
	report.Write = l.observed().Sub(start)
	if b.durable {
		report.Write, report.Sync = 0, report.Write
	} else {
		l.took(b) // nobody writes beside it
		if (l.opts.Durability == Always || b.sync) && !offSync {
			if err := l.syncWritten(); err != nil {
				return err
			}
			report.Sync = l.observed().Sub(start) - report.Write
		}
	}
	l.count(report)
	return nil
}

// put writes b, and notes whether it is then on the disk.
func (l *Log) put(b *batch) (err error) {
	if w, ok := l.syncWriter(b.seg.file); ok {
		b.durable = true
		return w.WriteSync(b.buf, b.at)
	}
	_, err = b.seg.file.WriteAt(b.buf, b.at)
	return err
}

// syncWriter is f, if it can bring batches to the disk in one step and that is wanted. In Always, all batches are written so,
// seals too: it does not mix well with other writes.
func (l *Log) syncWriter(f disk.File) (disk.SyncWriter, bool) {
	w, ok := f.(disk.SyncWriter)
	return w, ok && l.opts.Durability == Always && !offSync && !offFailStop
}

// took notes that b, like all before it, is written.
func (l *Log) took(b *batch) {
	b.seg.live.Add(b.entryBytes)
	seal := b.empty()
	l.sealed.Store(seal && b.synced >= l.written.Load())
	if !seal {
		l.written.Store(b.sequence)
	}
	l.fill(b.seg, b.at+b.size())
}

// fill notes that the active segment is full up to end, and has done in time what stores would wait for when the next one begins: it needs
// a file, and this one synced, which takes 13 to 30 ms for all that a busy second brings.
func (l *Log) fill(seg *segment, end int64) {
	before := l.filled.Swap(end)
	if end > seg.size/4 && l.wantsSpare.CompareAndSwap(false, true) {
		l.kickCleaner()
	}
	if nearly := seg.size - seg.size/32; l.opts.Durability == Interval && before <= nearly && end > nearly {
		select {
		case l.nearlyFull <- struct{}{}:
		default:
		}
	}
}

// observed is the time, for Options.Observe; without one nobody asks the clock.
func (l *Log) observed() (now time.Time) {
	if l.opts.Observe != nil {
		now = time.Now()
	}
	return now
}

func (l *Log) count(c Commit) {
	l.commits.Add(1)
	l.stores.Add(uint64(c.Stores))
	l.entries.Add(uint64(c.Entries))
	l.bytes.Add(uint64(c.Bytes))
	if l.opts.Observe != nil {
		l.opts.Observe(c)
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
	advance(&l.synced, sequence)
	return nil
}

// advance raises v to n.
func advance(v *atomic.Uint64, n uint64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
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
