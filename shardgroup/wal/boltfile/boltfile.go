// Package boltfile opens raft-boltdb files so that a crash while one is made does no harm.
package boltfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// lockTimeout bounds the wait for bbolt's lock on the file: another process has it.
const lockTimeout = time.Second

const newSuffix = ".new"

// Open opens the file at path. If there is none it makes one and calls first, if not nil, to fill it.
//
// bbolt's first initialisation is several writes to the file in place: a crash in the middle leaves a file that never
// opens again (raft-wal, alice/README.md). So the file is made, filled and synced under another name, which a crash may
// leave behind, and then gets its own.
func Open(path string, first func(*raftboltdb.BoltStore) error) (*raftboltdb.BoltStore, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(path, first)
	}
	if err != nil {
		return nil, err
	}
	return open(path)
}

func open(path string) (*raftboltdb.BoltStore, error) {
	return raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: &bbolt.Options{Timeout: lockTimeout}})
}

func create(path string, first func(*raftboltdb.BoltStore) error) error {
	temp := path + newSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	bolt, err := open(temp)
	if err != nil {
		return err
	}
	if first != nil {
		err = first(bolt)
	}
	if err := errors.Join(err, bolt.Sync(), bolt.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return disk.Dir(filepath.Dir(path)).SyncDir()
}
