package consensus

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/shardgroup/consensus/snapfile"
)

// failStop calls fatal with the first error it is given. A failed fsync cannot be retried (the kernel may have dropped
// the pages and report success the next time), so after any store error the process must not go on. snapshotStore has the one exception.
type failStop struct {
	once  sync.Once
	fatal func(error)
}

func (f *failStop) check(op string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", op, err)
	f.once.Do(func() { f.fatal(err) })
	return err
}

// stableStore is raft's stable store with every failure fatal.
type stableStore struct {
	raft.StableStore
	fail *failStop
}

// notFound is the text by which raft recognises a missing key; it compares texts.
const notFound = "not found"

func (s stableStore) Set(key, val []byte) error {
	return s.fail.check(fmt.Sprintf("write %s", key), s.StableStore.Set(key, val))
}

func (s stableStore) SetUint64(key []byte, val uint64) error {
	return s.fail.check(fmt.Sprintf("write %s", key), s.StableStore.SetUint64(key, val))
}

func (s stableStore) Get(key []byte) ([]byte, error) {
	val, err := s.StableStore.Get(key)
	if err != nil && err.Error() != notFound {
		err = s.fail.check(fmt.Sprintf("read %s", key), err)
	}
	return val, err
}

func (s stableStore) GetUint64(key []byte) (uint64, error) {
	val, err := s.StableStore.GetUint64(key)
	if err != nil && err.Error() != notFound {
		err = s.fail.check(fmt.Sprintf("read %s", key), err)
	}
	return val, err
}

// snapshotStore is raft's snapshot store with every failure fatal but that of a new snapshot for which there is no room. It tells the log
// and the members what is durable.
type snapshotStore struct {
	raft.SnapshotStore
	fail  *failStop
	saved func(raft.SnapshotMeta)
	// refuse is told of a snapshot that is not created because there is a newer one.
	refuse func(index uint64)
	// ending reports whether the instance ends. It waits for whoever writes a snapshot, which may take minutes.
	ending func() bool
	// unread is why a snapshot could not be read: raft does not pass that on.
	unread atomic.Pointer[error]
	// open counts the sinks that are neither closed nor cancelled.
	open atomic.Int32
	// noRoom counts the snapshots, taken here or received, that were given up because the disk is full.
	noRoom atomic.Uint64
}

// check judges the error of a snapshot that is being written. Raft only logs those that it gets, or tells the leader, and both try
// again: that loses nothing if the store says that there was no room, since what it gave up was no promise yet.
func (s *snapshotStore) check(op string, err error) error {
	if !errors.Is(err, snapfile.ErrNoRoom) {
		return s.fail.check(op, err)
	}
	s.noRoom.Add(1)
	return fmt.Errorf("%s: %w", op, err)
}

func (s *snapshotStore) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, cIndex uint64, t raft.Transport) (raft.SnapshotSink, error) {
	if newest, err := s.newest(); err != nil {
		return nil, err
	} else if newest != nil && (term < newest.Term || term == newest.Term && index < newest.Index) {
		s.refuse(index)
		return nil, fmt.Errorf("create snapshot at %d, there is one at %d: %w", index, newest.Index, errLate)
	}
	sink, err := s.SnapshotStore.Create(version, index, term, c, cIndex, t)
	if err != nil {
		return nil, s.check(fmt.Sprintf("create snapshot at %d", index), err)
	}
	s.open.Add(1)
	return &snapshotSink{SnapshotSink: sink, store: s,
		meta: raft.SnapshotMeta{Index: index, Term: term, Configuration: c, ConfigurationIndex: cIndex}}, nil
}

// List returns the newest snapshot only. Raft falls back to older ones if the newest cannot be restored, but the log
// that continues an older one is gone.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	list, err := s.SnapshotStore.List()
	if err != nil {
		return nil, s.fail.check("list snapshots", err)
	}
	return list[:min(1, len(list))], nil
}

// receiving reports whether a snapshot comes in, or is being taken.
func (s *snapshotStore) receiving() bool { return s.open.Load() > 0 }

// discard removes all snapshots.
func (s *snapshotStore) discard() error {
	if d, ok := s.SnapshotStore.(interface{ Discard() error }); ok {
		return d.Discard()
	}
	return errors.New("the snapshots can't be removed: remove this replica's folder and let it join again as a new member")
}

// newest returns the newest snapshot's meta data, nil if there is none.
func (s *snapshotStore) newest() (*raft.SnapshotMeta, error) {
	list, err := s.List()
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// Open lets the state machine see which snapshot it restores; see metaOf.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, r, err := s.SnapshotStore.Open(id)
	if err != nil {
		err = fmt.Errorf("open snapshot %s: %w", id, err)
		s.unread.Store(&err)
		return nil, nil, err
	}
	return meta, &snapshotReader{r, *meta, s}, nil
}

// explain adds to raft's error why the newest snapshot could not be read.
func (s *snapshotStore) explain(err error) error {
	if why := s.unread.Load(); why != nil {
		return fmt.Errorf("%w: %w", err, *why)
	}
	return err
}

type snapshotReader struct {
	io.ReadCloser
	meta  raft.SnapshotMeta
	store *snapshotStore
}

func (r *snapshotReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		r.store.unread.Store(&err)
	}
	return n, err
}

// metaOf finds the snapshot behind a reader that raft may have wrapped to count bytes.
func metaOf(r io.ReadCloser) (raft.SnapshotMeta, bool) {
	for {
		switch x := r.(type) {
		case *snapshotReader:
			return x.meta, true
		case raft.ReadCloserWrapper:
			r = x.WrappedReadCloser()
		default:
			return raft.SnapshotMeta{}, false
		}
	}
}

type snapshotSink struct {
	raft.SnapshotSink
	store     *snapshotStore
	meta      raft.SnapshotMeta
	cancelled atomic.Bool
	ended     sync.Once
}

// end may be called twice: raft closes and cancels what the state machine has closed or cancelled already.
func (s *snapshotSink) end() { s.ended.Do(func() { s.store.open.Add(-1) }) }

func (s *snapshotSink) Write(p []byte) (int, error) {
	if s.store.ending() {
		return 0, ErrClosed
	}
	n, err := s.SnapshotSink.Write(p)
	s.meta.Size += int64(n)
	return n, s.store.check("write snapshot", err)
}

func (s *snapshotSink) Cancel() error {
	defer s.end()
	s.cancelled.Store(true)
	return s.SnapshotSink.Cancel()
}

func (s *snapshotSink) Close() error {
	defer s.end()
	if err := s.SnapshotSink.Close(); err != nil || s.cancelled.Load() {
		return s.store.check("close snapshot", err)
	}
	s.store.saved(s.meta)
	return nil
}
