package consensus

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// logStore is raft's log store with every failure fatal and without holes. It is not monotonic in raft's sense: raft's path
// for such stores forgets entries behind an installed snapshot that this replica may have acknowledged.
type logStore struct {
	raft.LogStore
	fail    *failStop
	members *members
	// grown is called with the bytes appended since the last snapshot.
	grown func(int64)
	// committed is the newest entry that the state machine has been given, or may be given at any time.
	committed func() uint64
	// discard removes all snapshots.
	discard func() error
	// leads reports whether this replica leads. ahead: the next command is one of few clients, see pending.
	leads func() bool
	ahead atomic.Bool
	off   Off

	pending atomic.Pointer[pending]
	mu      sync.Mutex
	// first and last are the log's bounds, 0 and 0 if it is empty.
	first, last uint64
	// snapshot, its term and its bytes: the newest snapshot's last entry and length.
	snapshot, snapshotTerm uint64
	snapshotBytes          int64
	// bytes are those appended since the last snapshot, as far as they were counted since the log was opened for the opened-th time.
	bytes  int64
	opened int
}

// open reads the stored log's bounds, makes it continue the newest snapshot (nil if there is none), and learns the
// configurations and the bytes behind it.
func (s *logStore) open(newest *raft.SnapshotMeta) error {
	if err := s.settle(); err != nil {
		return err
	}
	first, err := s.LogStore.FirstIndex()
	if err != nil {
		return s.fail.check("read first log index", err)
	}
	last, err := s.LogStore.LastIndex()
	if err != nil {
		return s.fail.check("read last log index", err)
	}
	s.mu.Lock() // others ask beside a restart
	s.first, s.last = first, last
	if newest != nil {
		s.snapshot, s.snapshotTerm, s.snapshotBytes = newest.Index, newest.Term, newest.Size
	}
	s.mu.Unlock()
	if err := s.reconcile(); err != nil {
		return err
	}
	return s.scan(newest)
}

// reconcile makes the stored log continue the newest snapshot. A crash may come between the installation of a
// snapshot and the removal of what it replaces (Raft, section 7: "discard the entire log"). A log behind the snapshot that begins
// with an earlier term is of entries that the group has forgotten.
func (s *logStore) reconcile() error {
	if s.last == 0 || s.off.Reconcile {
		return nil
	}
	var first raft.Log
	if err := s.LogStore.GetLog(s.first, &first); err != nil {
		return s.fail.check(fmt.Sprintf("read log entry %d", s.first), err)
	}
	switch {
	case s.first > s.snapshot && first.Term < s.snapshotTerm:
		return s.remove(s.first, s.last)
	case s.first == s.snapshot+1:
		return nil
	case s.first > s.snapshot+1:
		return s.fail.check("open", fmt.Errorf("the log begins at entry %d, but the newest snapshot ends at %d: "+
			"files are missing; remove this replica's folder and let it join again as a new member", s.first, s.snapshot))
	case s.last < s.snapshot, s.conflicts(s.snapshot, s.snapshotTerm):
		return s.remove(s.first, s.last)
	default:
		return nil
	}
}

func (s *logStore) scan(newest *raft.SnapshotMeta) error {
	var known []configuration
	bytes := int64(0)
	for i := max(s.first, 1); i <= s.last; i++ {
		var e raft.Log
		if err := s.LogStore.GetLog(i, &e); err != nil {
			return s.fail.check(fmt.Sprintf("read log entry %d", i), err)
		}
		if e.Type == raft.LogConfiguration {
			known = append(known, configuration{e.Index, raft.DecodeConfiguration(e.Data)})
		}
		if i > s.snapshot {
			bytes += weight(&e)
		}
	}
	s.mu.Lock()
	s.bytes = bytes
	s.opened++
	s.mu.Unlock()
	s.members.reset(known, newest)
	return nil
}

// IsMonotonic implements raft.MonotonicLogStore: no, see logStore.
func (s *logStore) IsMonotonic() bool { return s.off.Monotonic }

func (s *logStore) FirstIndex() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first, nil
}

func (s *logStore) LastIndex() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, nil
}

// GetLog also answers for the newest snapshot's last entry when the log begins right behind it. A follower in that
// state whose tail conflicts looks up its leader's PrevLogEntry there; raft v1.8.0 forgets that the snapshot knows its
// term, refuses, and is sent the same snapshot for ever. Nobody ships the stand-in: to send it, a leader would need
// the entry before it, or it would be entry 1.
func (s *logStore) GetLog(index uint64, out *raft.Log) error {
	e, err := s.unwritten(index)
	if err != nil {
		return err
	}
	if e != nil {
		*out = *e
		return nil
	}
	err = s.LogStore.GetLog(index, out)
	if err == nil {
		return nil
	}
	if !errors.Is(err, raft.ErrLogNotFound) {
		return s.fail.check(fmt.Sprintf("read log entry %d", index), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if index > 1 && index == s.snapshot && (s.first == 0 || s.first > index) {
		*out = raft.Log{Index: index, Term: s.snapshotTerm, Type: raft.LogNoop}
		return nil
	}
	return err
}

func (s *logStore) StoreLog(e *raft.Log) error { return s.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements raft.LogStore, but that it may return before the disk has a command that is sent ahead: see pending.
// Configurations count from before they are stored.
func (s *logStore) StoreLogs(entries []*raft.Log) error {
	if len(entries) == 0 {
		return nil
	}
	from := entries[0].Index
	if err := s.settle(); err != nil {
		return err
	}
	if err := s.makeRoom(from); err != nil {
		return err
	}
	var bytes int64
	for _, e := range entries {
		bytes += weight(e)
		if e.Type == raft.LogConfiguration {
			s.members.append(e.Index, raft.DecodeConfiguration(e.Data))
		}
	}
	if s.sendsAhead(entries) {
		s.begin(entries)
	} else if err := s.write(entries); err != nil {
		return err
	}
	s.mu.Lock()
	if s.first == 0 {
		s.first = from
	}
	s.last = entries[len(entries)-1].Index
	s.bytes += bytes
	total := s.bytes
	s.mu.Unlock()
	if s.forgets(entries) {
		return s.fail.check(fmt.Sprintf("store another entry %d than the newest snapshot ends with", s.snapshotIndex()), errors.Join(ErrForgotten, s.discard()))
	}
	s.grown(total)
	return nil
}

// forgets reports whether the log, which has come anew from entry 1 on, goes on with another entry than the newest snapshot: that
// holds what the group has forgotten. A leader that still has the whole log sends that instead of a snapshot, and of an entry
// before the first one raft asks no follower whether it agrees. The log has all that is needed, so the snapshot goes.
func (s *logStore) forgets(entries []*raft.Log) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := int64(s.snapshot) - int64(entries[0].Index)
	return s.snapshot > 0 && s.first == 1 && at >= 0 && at < int64(len(entries)) && entries[at].Term != s.snapshotTerm
}

// makeRoom lets the log jump ahead to where an installed snapshot ends: everything before is in the snapshot.
func (s *logStore) makeRoom(from uint64) error {
	s.mu.Lock()
	first, last, snapshot := s.first, s.last, s.snapshot
	s.mu.Unlock()
	switch {
	case last == 0 && (from == snapshot+1), from == last+1:
		return nil
	case last < snapshot && from == snapshot+1:
		return s.remove(first, last)
	default:
		return s.fail.check("store log entries", fmt.Errorf(
			"entry %d does not continue the log, which ends at %d, nor the snapshot, which ends at %d", from, last, snapshot))
	}
}

// DeleteRange implements raft.LogStore: a prefix when the log is compacted, a suffix when it conflicts with the leader's.
// A suffix that may have been applied here conflicts only if the group has forgotten it (ErrForgotten): it is deleted, and
// then the process ends, because no state machine can go back.
func (s *logStore) DeleteRange(from, to uint64) error {
	s.mu.Lock()
	suffix, empty := to >= s.last, s.last == 0
	s.mu.Unlock()
	if empty {
		return nil // raft compacts from entry 0 on when there is nothing but a snapshot
	}
	if err := s.remove(from, to); err != nil {
		return err
	}
	if suffix && from <= s.committed() {
		return s.fail.check(fmt.Sprintf("delete log entries %d to %d", from, to), ErrForgotten)
	}
	return nil
}

// remove deletes entries. Raft deletes a prefix and a suffix at once only if they do not overlap, so the bounds may follow
// after the disk.
func (s *logStore) remove(from, to uint64) error {
	if err := s.settle(); err != nil {
		return err
	}
	if err := s.LogStore.DeleteRange(from, to); err != nil {
		return s.fail.check(fmt.Sprintf("delete log entries %d to %d", from, to), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case from <= s.first && to >= s.last:
		s.first, s.last, s.bytes = 0, 0, 0
	case from <= s.first:
		s.first = to + 1
	default:
		s.last = from - 1
	}
	if to >= s.last {
		s.members.truncate(max(from, s.snapshot+1))
	}
	return nil
}

// saved notes a durable snapshot.
func (s *logStore) saved(meta raft.SnapshotMeta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if meta.Index >= s.snapshot {
		s.snapshot, s.snapshotTerm, s.snapshotBytes = meta.Index, meta.Term, meta.Size
		s.members.snapshot(meta.ConfigurationIndex, meta.Configuration)
	}
}

// lastEntry returns the last entry's term and index, 0 if there is none, and false if it is removed at the same time.
func (s *logStore) lastEntry() (term, index uint64, ok bool) {
	s.mu.Lock()
	last, snapshot, snapshotTerm := s.last, s.snapshot, s.snapshotTerm
	s.mu.Unlock()
	if last <= snapshot {
		return snapshotTerm, snapshot, true
	}
	var e raft.Log
	if s.settle() != nil || s.LogStore.GetLog(last, &e) != nil {
		return 0, 0, false
	}
	return e.Term, e.Index, true
}

// snapshotSize returns the newest snapshot's bytes, 0 without one.
func (s *logStore) snapshotSize() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshotBytes
}

// snapshotIndex returns the newest snapshot's last entry, 0 without one.
func (s *logStore) snapshotIndex() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot
}

// conflicts reports whether the log goes on past a snapshot's last entry with entries of another history: then, and only
// then, everything from there on is known not to be committed.
func (s *logStore) conflicts(index, term uint64) bool {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last < index {
		return false
	}
	var e raft.Log
	err := errors.Join(s.settle(), s.LogStore.GetLog(index, &e))
	return err == nil && e.Term != term
}
