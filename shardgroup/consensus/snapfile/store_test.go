package snapfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

var servers = raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b", Suffrage: raft.Nonvoter}}}

func save(t *testing.T, s *Store, index uint64, data []byte) {
	t.Helper()
	k, err := s.Create(1, index, 3, servers, index-1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.Close(), k.Cancel()); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newest reads the newest snapshot.
func newest(s *Store) (*raft.SnapshotMeta, []byte, error) {
	list, err := s.List()
	if err != nil || len(list) == 0 {
		return nil, nil, err
	}
	m, r, err := s.Open(list[0].ID)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(r)
	return m, data, errors.Join(err, r.Close())
}

func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	save(t, s, 5, []byte("five"))
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	for _, store := range []*Store{s, open(t, dir)} {
		if m, _, err := newest(store); m != nil || err != nil {
			t.Errorf("after all were discarded: %v, %v", m, err)
		}
	}
	save(t, s, 3, []byte("three"))
	if m, data, err := newest(s); err != nil || m.Index != 3 || string(data) != "three" {
		t.Errorf("an older one in their place: %v, %q, %v", m, data, err)
	}
}

func TestNewestSnapshotIsKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if m, _, err := newest(s); m != nil || err != nil {
		t.Fatalf("empty store: %v, %v", m, err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	save(t, s, 5, []byte("five"))
	old, r, err := s.Open(name(5, 3))
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, 12, big)
	if b, err := io.ReadAll(r); string(b) != "five" || err != nil || old.Index != 5 {
		t.Errorf("a reader of the replaced snapshot gets %q, %v", b, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	m, data, err := newest(open(t, dir))
	if err != nil || !bytes.Equal(data, big) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	if m.Index != 12 || m.Term != 3 || m.ConfigurationIndex != 11 || m.Size != int64(len(big)) || m.Version != 1 ||
		len(m.Configuration.Servers) != 2 || m.Configuration.Servers[1].Suffrage != raft.Nonvoter {
		t.Errorf("meta data %+v", m)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}
}

func TestLateSnapshotDoesNotReplaceNewerOne(t *testing.T) {
	s := open(t, t.TempDir())
	save(t, s, 12, []byte("twelve"))
	save(t, s, 5, []byte("five"))
	if m, data, err := newest(s); err != nil || m.Index != 12 || string(data) != "twelve" {
		t.Errorf("%v, %q, %v", m, data, err)
	}
}

// A group that has lost entries with the power of a majority has a later term at an earlier index.
func TestSnapshotOfALaterTermReplacesOneOfALaterIndex(t *testing.T) {
	s := open(t, t.TempDir())
	save(t, s, 12, []byte("twelve"))
	k, err := s.Create(1, 5, 4, servers, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Write([]byte("five")); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if m, data, err := newest(s); err != nil || m.Index != 5 || string(data) != "five" {
		t.Errorf("%v, %q, %v", m, data, err)
	}
}

func TestUnfinishedSnapshotIsForgotten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	save(t, s, 5, []byte("five"))
	cancelled, err := s.Create(1, 6, 3, servers, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cancelled.Write([]byte("six")); err != nil {
		t.Fatal(err)
	}
	if err := cancelled.Cancel(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(1, 7, 3, servers, 1, nil); err != nil { // and then the process dies
		t.Fatal(err)
	}
	if m, _, err := newest(open(t, dir)); err != nil || m.Index != 5 {
		t.Errorf("%v, %v", m, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}
}

// inMemory is a file's contents.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// parse reads a file's bytes as Open does.
func parse(b []byte, id string) ([]byte, error) {
	f, err := load(inMemory{bytes.NewReader(b)}, int64(len(b)), id)
	if err != nil {
		return nil, err
	}
	if err := f.verify(); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// good is the bytes of a small snapshot.
func good(t testing.TB) []byte {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.Create(1, 5, 3, servers, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Write([]byte("the state of a group")); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, k.ID()+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryFlippedBitAndEveryCutIsNoticed(t *testing.T) {
	whole := good(t)
	if b, err := parse(whole, name(5, 3)); err != nil || string(b) != "the state of a group" {
		t.Fatalf("%q, %v", b, err)
	}
	damaged := func(what string, at int, bad []byte) {
		if b, err := parse(bad, name(5, 3)); err == nil {
			t.Errorf("%s %d: read %q without an error", what, at, b)
		}
	}
	for bit := range len(whole) * 8 {
		bad := bytes.Clone(whole)
		bad[bit/8] ^= 1 << (bit % 8)
		damaged("bit", bit, bad)
	}
	for n := range whole {
		damaged("cut at", n, whole[:n])
	}
	damaged("longer by", 1, append(bytes.Clone(whole), 0))
}

func TestDamagedFileIsAnErrorNotAnEmptyStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	save(t, s, 5, []byte("five"))
	if err := os.Truncate(filepath.Join(dir, name(5, 3)+suffix), 30); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, %v; want ErrCorrupt", list, err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(good(f))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if data, err := parse(b, name(5, 3)); err == nil && len(data) > len(b) {
			t.Errorf("%d bytes of data in a file of %d", len(data), len(b))
		}
	})
}
