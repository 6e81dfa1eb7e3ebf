package wal

import (
	"fmt"
	"sync"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// writesAtOnce is how many batches may be on their way to the disk, if its files can do that. The disk takes the second along:
// three nodes with one write each brought 3,200 to 3,600 blocks a second to one disk, and 5,200 to 6,100 with two each.
const writesAtOnce = 2

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
	b := &batch{turn: sync.NewCond(&l.mu), watch: l.latch.Watch("wal: write", l.opts.StallTimeout)}
	b.reset()
	return b
}

// commit waits until b, which join gave, and all before it are written and, if so configured, synced. The first store that finds
// the disk free does it for all that joined; those who come meanwhile gather in the next batch. There is no writer goroutine
// to hand over to: an idle log commits in the caller's own time slice.
func (l *Log) commit(b *batch) (place, error) {
	defer l.mu.Unlock()
	for !b.done {
		if err := l.latch.Err(); err != nil {
			return place{}, err // b may still be in use by a write that hangs; it is lost, as all is
		}
		if b != l.open || !l.ready() {
			b.turn.Wait()
			continue
		}
		if b.err = l.begin(b); b.err == nil {
			l.mu.Unlock()
			b.err = l.write(b)
			l.mu.Lock()
		}
		l.land(b)
	}
	at, err := b.place, b.err
	if b.left--; b.left == 0 && err == nil {
		b.reset()
		l.free = append(l.free, b)
	}
	return at, err
}

// ready reports whether the open batch may be written now. Beside another one it may if that leaves no larger gap in the log than it is
// itself: with one SET at a time, the log would grow five times as fast, and new segments keep the disk from everything else. One
// that needs a new segment waits for all before it: that there is another segment says that they are on the disk.
func (l *Log) ready() bool {
	switch n := len(l.flying); {
	case n == 0:
		return true
	case n >= writesAtOnce || l.rotating:
		return false
	}
	seg := l.active.Load()
	w, ok := l.syncWriter(seg.file)
	at, size := nextBlock(l.end), l.open.size()
	return ok && w.Beside() && at-l.end <= size && at+size <= seg.size
}

// begin takes the open batch, for the caller to write it, and gives it its place. Beside another write it begins a block of
// the disk's: else both would write the one where the other ends.
func (l *Log) begin(b *batch) error {
	l.open = nil
	l.flying = append(l.flying, b)
	l.turn.Broadcast()
	if len(l.flying) > 1 {
		l.active.Load().gaps.Add(nextBlock(l.end) - l.end)
		l.end = nextBlock(l.end)
	}
	if size := b.size(); l.end+size > l.active.Load().size {
		l.rotating = true
		l.mu.Unlock()
		err := l.rotate(size, b.watch)
		if err != nil {
			err = l.latch.Fail(fmt.Errorf("wal: begin a new segment: %w", err)) // which takes l.mu
		}
		l.mu.Lock()
		l.rotating = false
		if err != nil {
			return err
		}
	}
	l.last++
	b.place = place{seg: l.active.Load(), at: l.end, sequence: l.last}
	b.synced = l.synced.Load()
	l.end += b.size()
	l.wake()
	return nil
}

// wake has the open batch written, if there is one and it may be.
func (l *Log) wake() {
	if l.open != nil && l.ready() {
		l.open.turn.Signal()
	}
}

// land notes that b's write has ended, and lets those go on whose batches are then in the log, up to the first that is not: after a
// power cut the log ends before that one. If it failed, the latch has fallen, and nobody behind it is acknowledged either.
func (l *Log) land(b *batch) {
	b.landed = true
	for len(l.flying) > 0 && l.flying[0].landed && l.flying[0].err == nil {
		first := l.flying[0]
		l.flying = l.flying[:copy(l.flying, l.flying[1:])]
		if first.durable {
			advance(&l.synced, first.sequence) // each was on the disk when its write ended
			l.took(first)
			l.syncs.Add(1)
		}
		first.done = true
		first.turn.Broadcast()
	}
	l.turn.Broadcast()
	l.wake()
}

// nextBlock is the first offset from at on where a block of the disk's begins.
func nextBlock(at int64) int64 { return (at + disk.BlockBytes - 1) &^ (disk.BlockBytes - 1) }
