// Package boltlog is the log store of `log-store: boltdb`: one raft-boltdb file per group, made fail-stop.
//
// It is the well-worn alternative to package wal, at two to three times the CPU per write. bbolt syncs every write, so it is
// always durable: it has no interval mode, since bbolt without sync does not survive a power cut at all (bbolt#537).
package boltlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/boltfile"
	"github.com/quorate/quorate/shardgroup/wal/disk"
	"github.com/quorate/quorate/shardgroup/wal/failstop"
)

// recentEntries is how many entries per group are read from memory; raft reads each entry back several times.
const recentEntries = 512

// Log holds the groups' stores. Its methods may be called by any goroutine.
type Log struct {
	dir   disk.Dir
	stall time.Duration
	latch *failstop.Latch

	mu     sync.Mutex
	groups map[slot.GroupID]*group
}

type group struct {
	bolt  *raftboltdb.BoltStore
	store *failstop.LogStore
}

func (g *group) close() error {
	g.store.Close()
	return g.bolt.Close()
}

// Open opens the directory of the groups' files. fatal is called at most once, with the first write that failed or took
// longer than stall (0: 10 s); after it every operation fails.
func Open(dir string, stall time.Duration, fatal func(error)) (*Log, error) {
	d, err := disk.OpenDir(dir)
	if err != nil {
		return nil, fmt.Errorf("boltlog: %w", err)
	}
	if stall == 0 {
		stall = 10 * time.Second
	}
	return &Log{dir: d, stall: stall, latch: failstop.NewLatch(fatal), groups: map[slot.GroupID]*group{}}, nil
}

const prefix, suffix = "group-", ".bolt"

// Owns reports whether a file of that name is a group's.
func Owns(name string) bool {
	return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix)
}

func (l *Log) path(id slot.GroupID) string {
	return filepath.Join(string(l.dir), fmt.Sprintf("%s%08x%s", prefix, uint32(id), suffix))
}

// Group opens the group's log, empty if the group is new. It is the same one until RemoveGroup.
func (l *Log) Group(id slot.GroupID) (raft.LogStore, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g := l.groups[id]; g != nil {
		return g.store, nil
	}
	g, err := l.open(l.path(id))
	if err != nil {
		return nil, fmt.Errorf("boltlog: group %d: %w", id, err)
	}
	l.groups[id] = g
	return g.store, nil
}

func (l *Log) open(path string) (*group, error) {
	bolt, err := boltfile.Open(path, nil)
	if err != nil {
		return nil, err
	}
	cached, err := raft.NewLogCache(recentEntries, bolt)
	if err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return &group{bolt, l.latch.LogStore("boltlog: write to "+path, cached, l.stall)}, nil
}

// RemoveGroup deletes the group's file. Shut its Raft down first.
func (l *Log) RemoveGroup(id slot.GroupID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if g := l.groups[id]; g != nil {
		err = g.close()
		delete(l.groups, id)
	}
	if gone := os.Remove(l.path(id)); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if err := errors.Join(err, l.dir.SyncDir()); err != nil {
		return l.latch.Fail(fmt.Errorf("boltlog: remove group %d: %w", id, err))
	}
	return nil
}

// Close closes the files. Shut the Rafts down first.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for _, g := range l.groups {
		err = errors.Join(err, g.close())
	}
	clear(l.groups)
	return err
}
