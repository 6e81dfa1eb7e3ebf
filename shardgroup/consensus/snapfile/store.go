package snapfile

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

const (
	suffix     = ".snap"
	tempPrefix = "tmp-"
	// bufferSize is how much is written and read at a time.
	bufferSize = 256 << 10
)

// Store is a raft.SnapshotStore in one folder. It may be used by several goroutines, and the folder by one Store.
type Store struct {
	fs disk.FS
	// begun counts the snapshots begun, for the names of unfinished ones.
	begun atomic.Uint64
}

// Open makes the folder if it is not there and removes what a crash left unfinished in it.
func Open(dir string) (*Store, error) {
	fs, err := disk.OpenDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	return OpenOn(fs)
}

// OpenOn is Open in a folder that need not be the operating system's.
func OpenOn(fs disk.FS) (*Store, error) {
	if err := RemoveUnfinished(fs); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	return &Store{fs: fs}, nil
}

// RemoveUnfinished removes what a crash left unfinished. The folder must not be open.
func RemoveUnfinished(fs disk.FS) error {
	names, err := fs.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, tempPrefix) {
			continue
		}
		if err := fs.Remove(name); err != nil {
			return fmt.Errorf("remove an unfinished one: %w", err)
		}
	}
	return nil
}

func name(index, term uint64) string { return fmt.Sprintf("%020d-%020d", index, term) }

// newer orders names by term, then index. A log's terms never fall, so that is the order of their indexes, too; but for a group
// that has lost entries with the power of a majority, and has gone on without them: its snapshots replace those with the entries.
func newer(a, b string) int {
	indexA, termA, _ := strings.Cut(a, "-")
	indexB, termB, _ := strings.Cut(b, "-")
	return cmp.Or(cmp.Compare(termB, termA), cmp.Compare(indexB, indexA))
}

// names lists the snapshots' names, the newest first.
func (s *Store) names() ([]string, error) {
	files, err := s.fs.List()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range files {
		if id, ok := strings.CutSuffix(name, suffix); ok {
			names = append(names, id)
		}
	}
	slices.SortFunc(names, newer)
	return names, nil
}

// Discard removes all snapshots, durably, the newest last: what is left after a crash is as it was.
func (s *Store) Discard() error {
	names, err := s.names()
	if err != nil {
		return fmt.Errorf("discard snapshots: %w", err)
	}
	for _, name := range slices.Backward(names) {
		if err := s.fs.Remove(name + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("discard snapshot %s: %w", name, err)
		}
	}
	if err := s.fs.SyncDir(); err != nil {
		return fmt.Errorf("discard snapshots: %w", err)
	}
	return nil
}

// List returns the newest snapshot, if there is one. A file that cannot be read is an error, not a reason to go back to
// an older one: the log that continues that is gone. One that is gone itself has been replaced by a newer one.
func (s *Store) List() ([]*raft.SnapshotMeta, error) {
	for gone := ""; ; {
		names, err := s.names()
		if err != nil {
			return nil, fmt.Errorf("list snapshots: %w", err)
		}
		if len(names) == 0 {
			return nil, nil
		}
		f, err := s.open(names[0])
		if errors.Is(err, fs.ErrNotExist) && names[0] != gone {
			gone = names[0]
			continue
		}
		if err != nil {
			return nil, err
		}
		return []*raft.SnapshotMeta{&f.meta}, f.Close()
	}
}

// Open verifies the whole snapshot's checksum and then returns its data.
func (s *Store) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	f, err := s.open(id)
	if err != nil {
		return nil, nil, err
	}
	if err := f.verify(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("snapshot %s: %w", id, err), f.Close())
	}
	return &f.meta, f, nil
}

// open opens a snapshot and checks header and trailer.
func (s *Store) open(id string) (*file, error) {
	o, err := s.fs.Open(id + suffix)
	if err != nil {
		return nil, fmt.Errorf("open snapshot %s: %w", id, err)
	}
	size, err := o.Size()
	if err == nil {
		var f *file
		if f, err = load(o, size, id); err == nil {
			return f, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("snapshot %s: %w", id, err), o.Close())
}

// contents is an open file, or a test's bytes.
type contents interface {
	io.ReaderAt
	io.Closer
}

// file is an open snapshot, read from its data on.
type file struct {
	*bufio.Reader
	contents
	meta raft.SnapshotMeta
	// from is where the data begins, sum its checksum.
	from int64
	sum  uint32
}

func load(c contents, length int64, id string) (*file, error) {
	m, from, err := decodeHeader(io.NewSectionReader(c, 0, length))
	if err != nil {
		return nil, err
	}
	size := length - from - trailerLen
	if size < 0 {
		return nil, fmt.Errorf("%w: %d bytes in all; it was cut short", ErrCorrupt, length)
	}
	var end [trailerLen]byte
	if _, err := c.ReadAt(end[:], from+size); err != nil {
		return nil, err
	}
	sum, err := decodeTrailer(end[:], size)
	if err != nil {
		return nil, err
	}
	if name(m.Index, m.Term) != id {
		return nil, fmt.Errorf("%w: it holds index %d of term %d", ErrCorrupt, m.Index, m.Term)
	}
	return &file{
		Reader: bufio.NewReaderSize(io.NewSectionReader(c, from, size), bufferSize), contents: c, from: from, sum: sum,
		meta: raft.SnapshotMeta{
			Version: 1, ID: id, Index: m.Index, Term: m.Term, Size: size,
			Configuration: raft.Configuration{Servers: m.Servers}, ConfigurationIndex: m.ConfigurationIndex,
		},
	}, nil
}

func (f *file) verify() error {
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, io.NewSectionReader(f.contents, f.from, f.meta.Size)); err != nil {
		return err
	}
	if sum.Sum32() != f.sum {
		return fmt.Errorf("%w: checksum of the data", ErrCorrupt)
	}
	return nil
}
