package stable

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/boltfile"
	"github.com/quorate/quorate/shardgroup/wal/disk"
	"github.com/quorate/quorate/shardgroup/wal/failstop"
)

// File keeps the records of a Store: a *raftboltdb.BoltStore. It may be any other that survives a crash and a power cut as well.
type File interface {
	// Get returns nil, or raftboltdb.ErrKeyNotFound, for a key that was never set.
	Get(key []byte) ([]byte, error)
	// Set replaces one record, all or nothing, and returns when that is durable.
	Set(key, v []byte) error
	Close() error
}

// Store is a node's stable store: one bbolt file. Every write is synced before it returns; one that fails is fatal.
// Its methods may be called by any goroutine.
type Store struct {
	file  File
	latch *failstop.Latch

	writing disk.Lock // bbolt has one writer at a time anyway
	watch   *failstop.Watch

	mu      disk.Lock
	groups  map[slot.GroupID]*group
	node    string
	cluster string
	run     run
	running bool
	lease   time.Duration // the present run's
	logOpen bool
	bootID  func() (string, error)
}

const (
	keyNode    = "node"
	keyCluster = "cluster"

	defaultStall = 10 * time.Second
)

// Open opens the file at path, or makes it, with a new node identity. fatal is called at most once, with the first
// write that failed or took longer than stall (0: 10 s), or record that does not read back; it should end the process.
func Open(path string, stall time.Duration, fatal func(error)) (*Store, error) {
	s := newStore(path, cmp.Or(stall, defaultStall), fatal)
	if err := s.open(path); err != nil {
		var system syscall.Errno
		if !errors.As(err, &system) { // no permission and no space are no damage
			err = fmt.Errorf("%w; without it the node does not know how it voted: restore the file from a copy made while the node was down, or empty the data folder and start as a new node", err)
		}
		return nil, fmt.Errorf("stable: open %s: %w", path, err)
	}
	return s, nil
}

// OpenOn opens the store that file holds, or makes it. boot tells one boot of the machine from another; see BeginRun. The
// store closes the file.
func OpenOn(file File, boot func() (string, error), fatal func(error)) (*Store, error) {
	s := newStore("the given file", defaultStall, fatal)
	s.file, s.bootID = file, boot
	node, err := s.get([]byte(keyNode))
	if err == nil && node == nil {
		err = s.set([]byte(keyNode), []byte(newNodeID()))
	}
	if err == nil {
		err = s.loadNode()
	}
	if err != nil {
		return nil, fmt.Errorf("stable: %w", err)
	}
	return s, nil
}

func newStore(path string, stall time.Duration, fatal func(error)) *Store {
	s := &Store{
		latch: failstop.NewLatch(fatal), writing: disk.NewLock(), mu: disk.NewLock(),
		groups: map[slot.GroupID]*group{}, bootID: kernelBootID,
	}
	s.watch = s.latch.Watch("stable: write to "+path, stall)
	return s
}

func (s *Store) open(path string) error {
	bolt, err := boltfile.Open(path, func(b *raftboltdb.BoltStore) error {
		return b.Set([]byte(keyNode), []byte(newNodeID()))
	})
	if err != nil {
		return err
	}
	s.file = bolt
	if err := s.loadNode(); err != nil {
		return errors.Join(err, bolt.Close())
	}
	return nil
}

// newNodeID draws 40 lower-case hex digits, Redis Cluster's form of a node's name.
func newNodeID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

func validNodeID(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 20 && hex.EncodeToString(b) == id
}

func (s *Store) loadNode() error {
	node, err := s.get([]byte(keyNode))
	if err != nil {
		return err
	}
	if !validNodeID(string(node)) {
		return fmt.Errorf("node identity %q: want 40 hex digits: is this another program's file, or damaged?", node)
	}
	cluster, err := s.get([]byte(keyCluster))
	if err != nil {
		return err
	}
	s.node, s.cluster = string(node), string(cluster)
	return s.loadRun()
}

// NodeID is this node's identity for life, 40 lower-case hex digits, whatever its addresses.
func (s *Store) NodeID() string { return s.node }

// ClusterID is the cluster that the node belongs to, "" before SetClusterID.
func (s *Store) ClusterID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cluster
}

// SetClusterID ties the node to a cluster, once and for all.
func (s *Store) SetClusterID(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case id == "":
		return errors.New("stable: empty cluster id")
	case s.cluster == id:
		return nil
	case s.cluster != "":
		return fmt.Errorf("stable: this node belongs to cluster %s, not %s: to join another, start it with an empty data folder", s.cluster, id)
	}
	if err := s.set([]byte(keyCluster), []byte(id)); err != nil {
		return err
	}
	s.cluster = id
	return nil
}

// ForGroup is the group's raft.StableStore, the same one each time until RemoveGroup. It knows raft's three keys only.
func (s *Store) ForGroup(id slot.GroupID) raft.StableStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[id]
	if g == nil {
		g = &group{store: s, key: groupKey(id), mu: disk.NewLock()}
		s.groups[id] = g
	}
	return g
}

// RemoveGroup lets go of the group's store, after its replica was removed from this node. The record itself, some 60
// bytes, stays for ever: the node keeps its identity, so if the group comes back while the term lasts in which it voted,
// it must not vote in that term again. (raft.HasExistingState stays true therefore; a replica that comes back joins its
// group and never bootstraps it.)
func (s *Store) RemoveGroup(id slot.GroupID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.groups, id)
}

// Life numbers the replicas of the group that this node has held one after the other; 0 is the first. RemoveGroup leaves it.
func (s *Store) Life(id slot.GroupID) (uint64, error) {
	v, err := s.get(lifeKey(id))
	if err != nil || v == nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, s.latch.Fail(fmt.Errorf("stable: %s: %d bytes, want 8", lifeKey(id), len(v)))
	}
	return binary.LittleEndian.Uint64(v), nil
}

// SetLife is durable when it returns.
func (s *Store) SetLife(id slot.GroupID, life uint64) error {
	return s.set(lifeKey(id), binary.LittleEndian.AppendUint64(nil, life))
}

func lifeKey(id slot.GroupID) []byte { return fmt.Appendf(nil, "life/%d", id) }

func (s *Store) get(key []byte) ([]byte, error) {
	v, err := s.file.Get(key)
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return nil, nil
	}
	return v, err
}

func (s *Store) set(key, v []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.latch.Err(); err != nil {
		return err
	}
	s.watch.Start()
	return s.watch.Done(s.file.Set(key, v))
}

// Close closes the file. It marks no clean end: see EndRun.
func (s *Store) Close() error { return s.file.Close() }
