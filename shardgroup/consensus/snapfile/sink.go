package snapfile

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"syscall"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// ErrNoRoom: the disk has no room for a new snapshot, which was given up. What had been written of it is gone, and nobody had been
// promised it: the snapshot before it and the log behind that are as they were.
var ErrNoRoom = errors.New("no room for a snapshot; free some space on the disk of its file")

// full reports whether err says of an unfinished file that it does not fit. From the rename on that is a failure like any other.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// Create begins a snapshot. It is in the store when the sink's Close has returned nil.
func (s *Store) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, cIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if v != 1 {
		return nil, fmt.Errorf("create snapshot: raft's snapshot version %d is not supported, only 1", v)
	}
	header, err := encodeHeader(meta{Index: index, Term: term, ConfigurationIndex: cIndex, Servers: c.Servers})
	if err != nil {
		return nil, err
	}
	temp := fmt.Sprintf("%s%d", tempPrefix, s.begun.Add(1))
	f, err := s.fs.Create(temp, 0, nil)
	switch {
	case err != nil && full(err):
		return nil, fmt.Errorf("create snapshot: %w: %w", ErrNoRoom, err)
	case err != nil:
		return nil, fmt.Errorf("create snapshot: %w", err)
	}
	k := &sink{store: s, id: name(index, term), temp: temp, file: f, buf: bufio.NewWriterSize(io.NewOffsetWriter(f, 0), bufferSize)}
	if _, err := k.buf.Write(header); err != nil {
		return nil, k.fail(err)
	}
	return k, nil
}

// syncEvery is how many bytes are written between two syncs. One sync of all at the end would keep the disk busy for so long
// that the log's syncs, and with them the writes of all groups, wait.
const syncEvery = 8 << 20

// sink writes one snapshot.
type sink struct {
	store *Store
	id    string
	temp  string
	file  disk.File
	buf   *bufio.Writer
	// size is what was written of the data, synced how much of it when the file was last synced.
	size, synced int64

	sum   uint32
	ended bool
	// failed is what ended the snapshot: no write or sync that failed is tried again.
	failed error
}

// ID implements raft.SnapshotSink.
func (k *sink) ID() string { return k.id }

// Write implements raft.SnapshotSink.
func (k *sink) Write(p []byte) (int, error) {
	if k.failed != nil {
		return 0, k.failed
	}
	n, err := k.buf.Write(p)
	k.size += int64(n)
	k.sum = crc32.Update(k.sum, castagnoli, p[:n])
	if err == nil && k.size-k.synced >= syncEvery {
		k.synced = k.size
		err = k.file.Sync()
	}
	if err != nil {
		return n, k.fail(err)
	}
	return n, nil
}

// fail gives the snapshot up. If it only does not fit, its file goes at once: others need the room, and the log most of all. Any
// other failure is of the disk, which is not asked for more.
func (k *sink) fail(err error) error {
	k.failed = fmt.Errorf("save snapshot %s: %w", k.id, err)
	if !full(err) {
		return k.failed
	}
	if err := k.Cancel(); err != nil {
		k.failed = errors.Join(k.failed, err)
		return k.failed
	}
	k.failed = fmt.Errorf("%w: %w", ErrNoRoom, k.failed)
	return k.failed
}

// Cancel drops the snapshot, unless it is closed already.
func (k *sink) Cancel() error {
	if k.ended {
		return nil
	}
	k.ended = true
	return errors.Join(k.file.Close(), k.store.fs.Remove(k.temp))
}

// Close makes the snapshot durable and removes those that it replaces.
func (k *sink) Close() error {
	if k.ended || k.failed != nil {
		return k.failed
	}
	if err := k.finish(); err != nil {
		return k.fail(err)
	}
	k.ended = true
	if err := k.store.fs.Rename(k.temp, k.id+suffix); err != nil {
		return fmt.Errorf("save snapshot %s: %w", k.id, err)
	}
	if err := k.store.fs.SyncDir(); err != nil {
		return fmt.Errorf("save snapshot %s: %w", k.id, err)
	}
	return k.store.reap()
}

func (k *sink) finish() error {
	if _, err := k.buf.Write(encodeTrailer(k.size, k.sum)); err != nil {
		return err
	}
	if err := k.buf.Flush(); err != nil {
		return err
	}
	if err := k.file.Sync(); err != nil {
		return err
	}
	return k.file.Close()
}

// reap removes all but the newest snapshot. Whoever is reading an older one reads on: its file goes when it is closed. A snapshot
// that was taken here and one that was installed may end at the same time: then one finds gone what the other has removed.
func (s *Store) reap() error {
	names, err := s.names()
	if err != nil {
		return fmt.Errorf("remove old snapshots: %w", err)
	}
	for _, id := range names[min(1, len(names)):] {
		if err := s.fs.Remove(id + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove old snapshots: %w", err)
		}
	}
	return nil
}
