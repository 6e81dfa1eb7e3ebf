package failstop

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// LogStore makes any raft.LogStore fail-stop: after its first write that failed or took too long, it does nothing more.
type LogStore struct {
	store raft.LogStore
	latch *Latch

	closed atomic.Bool

	writing sync.Mutex // one watch, one write at a time
	watch   *Watch
}

var _ raft.LogStore = (*LogStore)(nil)

// ErrClosed: the store was closed on purpose, which is nobody's failure.
var ErrClosed = errors.New("log store is closed")

// Close makes every later operation fail with ErrClosed and waits for a write under way. Close the store below after
// it. A read may still reach that one: a leader's metrics goroutine reads for a while after Raft's shutdown
// (emitLogStoreMetrics); it gets ErrClosed too.
func (s *LogStore) Close() {
	s.closed.Store(true)
	s.writing.Lock()
	defer s.writing.Unlock()
}

func (s *LogStore) unusable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	return s.latch.Err()
}

// LogStore wraps a store whose writes must end within limit.
func (l *Latch) LogStore(op string, store raft.LogStore, limit time.Duration) *LogStore {
	return &LogStore{store: store, latch: l, watch: l.Watch(op, limit)}
}

func (s *LogStore) write(f func() error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.unusable(); err != nil {
		return err
	}
	s.watch.Start()
	return s.watch.Done(f())
}

// StoreLog implements raft.LogStore.
func (s *LogStore) StoreLog(e *raft.Log) error {
	return s.write(func() error { return s.store.StoreLog(e) })
}

// StoreLogs implements raft.LogStore.
func (s *LogStore) StoreLogs(entries []*raft.Log) error {
	return s.write(func() error { return s.store.StoreLogs(entries) })
}

// DeleteRange implements raft.LogStore.
func (s *LogStore) DeleteRange(from, to uint64) error {
	return s.write(func() error { return s.store.DeleteRange(from, to) })
}

// FirstIndex implements raft.LogStore.
func (s *LogStore) FirstIndex() (uint64, error) {
	if err := s.unusable(); err != nil {
		return 0, err
	}
	return s.store.FirstIndex()
}

// LastIndex implements raft.LogStore.
func (s *LogStore) LastIndex() (uint64, error) {
	if err := s.unusable(); err != nil {
		return 0, err
	}
	return s.store.LastIndex()
}

// GetLog implements raft.LogStore. An entry that is there and does not read back is a failure too.
func (s *LogStore) GetLog(index uint64, e *raft.Log) error {
	if err := s.unusable(); err != nil {
		return err
	}
	err := s.store.GetLog(index, e)
	if s.closed.Load() {
		return ErrClosed
	}
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return s.latch.Fail(err)
	}
	return err
}
