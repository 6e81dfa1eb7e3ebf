package wal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/disk"
	"github.com/quorate/quorate/shardgroup/wal/failstop"
)

var (
	// ErrCorrupt: what is on the disk is not what was written and synced there.
	ErrCorrupt = errors.New("log is damaged")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("log is closed")
	// ErrGroupRemoved: the handle's group was removed; Log.Group gives a new, empty one.
	ErrGroupRemoved = errors.New("group was removed from the log")
)

// Log is the log of one node. Its methods may be called by any goroutine.
type Log struct {
	opts  Options
	fs    disk.FS
	latch *failstop.Latch

	// mu guards the batches and who writes. It is never held during I/O.
	mu      sync.Mutex
	turn    *sync.Cond // a write ended, or the latch fell
	writing bool
	open    *batch // takes new stores
	free    []*batch
	closed  atomic.Bool // set under mu

	// Owned by the goroutine that set writing.
	last       uint64 // sequence of the newest batch
	end        int64  // offset in the active segment where the next batch goes
	writeWatch *failstop.Watch

	active  atomic.Pointer[segment]
	written atomic.Uint64 // newest batch that was written, seals aside
	synced  atomic.Uint64 // newest batch known to be on the disk, as are all before it
	sealed  atomic.Bool   // the newest batch is a seal

	syncing   disk.Lock // one sync at a time: of two beside each other the kernel tells only one of an error
	syncWatch *failstop.Watch

	segments segmentTable
	tail     tail

	groupsMu sync.Mutex
	groups   map[slot.GroupID]*GroupLog

	kick       chan struct{}
	wantsSpare atomic.Bool   // the active segment is full by a quarter
	filled     atomic.Int64  // bytes of it
	nearlyFull chan struct{} // in Interval: time to sync it, for the next one to begin soon
	stop       chan struct{}
	background sync.WaitGroup
	closeOnce  sync.Once
	closeErr   error

	commits, syncs, stores, entries, bytes, relocated atomic.Uint64
}

// Open opens the log in dir, or starts an empty one. A write that a crash cut short is dropped: it was never
// acknowledged. Damage to anything that was on the disk gives an error wrapping ErrCorrupt, with file and offset.
func Open(dir string, o Options) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	fs := o.FS
	if fs == nil {
		if fs, err = disk.OpenDir(dir); err != nil {
			return nil, fmt.Errorf("wal: %w", err)
		}
	}
	if d, ok := fs.(disk.Fitting); ok && o.Durability == Interval {
		fs = d.Cached()
	} else if ok {
		fs = d.Durable(func(why error) { o.Logger.Info("the log is written through the page cache", "folder", dir, "why", why) })
	}
	l := newLog(fs, o)
	if err := l.load(); err != nil {
		l.segments.close()
		return nil, fmt.Errorf("wal: open %s: %w", dir, err)
	}
	l.background.Go(l.runTicks)
	l.background.Go(l.runCleaner)
	return l, nil
}

func newLog(fs disk.FS, o Options) *Log {
	l := &Log{
		opts:       o,
		fs:         fs,
		groups:     map[slot.GroupID]*GroupLog{},
		kick:       make(chan struct{}, 1),
		nearlyFull: make(chan struct{}, 1),
		stop:       make(chan struct{}),

		syncing: disk.NewLock(),
	}
	l.turn = sync.NewCond(&l.mu)
	l.tail.limit = o.TailBytes
	l.latch = failstop.NewLatch(l.fail)
	l.writeWatch = l.latch.Watch("wal: write", o.StallTimeout)
	l.syncWatch = l.latch.Watch("wal: sync", o.StallTimeout)
	return l
}

// fail wakes the stores that wait for a write which may never end, and ends the process.
func (l *Log) fail(err error) {
	l.mu.Lock()
	l.turn.Broadcast()
	l.mu.Unlock()
	l.opts.Fatal(err)
}

func (l *Log) unusable() error {
	if l.closed.Load() {
		return ErrClosed
	}
	return l.latch.Err()
}

// Group gives the log of one group, empty if the group is new. It is the same handle until RemoveGroup.
func (l *Log) Group(id slot.GroupID) *GroupLog {
	l.groupsMu.Lock()
	defer l.groupsMu.Unlock()
	g := l.groups[id]
	if g == nil {
		g = &GroupLog{id: id, log: l, change: disk.NewLock()}
		l.groups[id] = g
	}
	return g
}

// Groups lists the groups that hold entries, in order.
func (l *Log) Groups() []slot.GroupID {
	var ids []slot.GroupID
	for _, g := range l.handles() {
		if g.span() > 0 {
			ids = append(ids, g.id)
		}
	}
	return ids
}

func (l *Log) handles() []*GroupLog {
	l.groupsMu.Lock()
	defer l.groupsMu.Unlock()
	return slices.SortedFunc(maps.Values(l.groups), func(a, b *GroupLog) int { return int(int64(a.id) - int64(b.id)) })
}

// RemoveGroup durably deletes all of the group's entries. Shut its Raft down first: the old handle answers
// ErrGroupRemoved from now on.
func (l *Log) RemoveGroup(id slot.GroupID) error {
	g := l.Group(id)
	if err := g.remove(); err != nil {
		return fmt.Errorf("wal: remove group %d: %w", id, err)
	}
	l.groupsMu.Lock()
	delete(l.groups, id)
	l.groupsMu.Unlock()
	l.kickCleaner()
	return nil
}

// Stats are for metrics; the parts are read one after the other.
func (l *Log) Stats() Stats {
	s := Stats{
		TailBytes:    l.tail.bytes(),
		Groups:       len(l.Groups()),
		Commits:      l.commits.Load(),
		Syncs:        l.syncs.Load(),
		Stores:       l.stores.Load(),
		Entries:      l.entries.Load(),
		WrittenBytes: l.bytes.Load(),
		Relocated:    l.relocated.Load(),
	}
	s.Segments, s.DiskBytes, s.LiveBytes = l.segments.usage()
	return s
}

// Close syncs, seals the end of the log and closes its files. Shut the Rafts down first: stores fail from here on.
func (l *Log) Close() error {
	l.closeOnce.Do(func() { l.closeErr = l.close() })
	return l.closeErr
}

func (l *Log) close() error {
	close(l.stop)
	l.background.Wait()
	err := l.syncAndSeal()
	l.mu.Lock()
	l.closed.Store(true)
	for (l.writing || l.open != nil) && l.latch.Err() == nil {
		l.turn.Wait()
	}
	l.turn.Broadcast()
	l.mu.Unlock()
	return errors.Join(err, l.segments.close())
}

func (l *Log) syncAndSeal() error {
	if err := l.Sync(); err != nil || l.sealed.Load() {
		return err
	}
	return l.seal()
}

// runTicks syncs in Interval, also when a segment is nearly full, seals a log that was idle since the tick before, and lets the
// cleaner look again.
func (l *Log) runTicks() {
	ticker := time.NewTicker(l.opts.SyncEvery)
	defer ticker.Stop()
	var before uint64
	for {
		select {
		case <-l.stop:
			return
		case <-l.nearlyFull:
			_ = l.Sync() // an error has latched and been told already
			continue
		case <-ticker.C:
		}
		l.kickCleaner() // it may have left a segment whose newest entries were not published yet
		idle := l.written.Load() == before
		before = l.written.Load()
		// An error has latched and been told already.
		if l.Sync() == nil && idle && before > 0 && !l.sealed.Load() {
			_ = l.seal()
		}
	}
}
