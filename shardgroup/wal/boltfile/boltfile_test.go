package boltfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// TestInterruptedFirstOpen: whatever a crash left of the first attempt, the next one starts afresh, and only a file that
// was filled gets the name.
func TestInterruptedFirstOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bolt")
	if err := os.WriteFile(path+newSuffix, []byte("half a bbolt file"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	if _, err := Open(path, func(*raftboltdb.BoltStore) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("open with a filler that fails: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("file that was not filled: %v, want that there is none", err)
	}
	fill := func(b *raftboltdb.BoltStore) error { return b.Set([]byte("k"), []byte("first")) }
	for range 2 { // the second time the file is there and must not be filled again
		b, err := Open(path, fill)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := b.Get([]byte("k")); string(v) != "first" || err != nil {
			t.Errorf("read %q, %v", v, err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		fill = func(*raftboltdb.BoltStore) error { t.Error("filled twice"); return nil }
	}
	if _, err := os.Stat(path + newSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("temporary file: %v, want it gone", err)
	}
}
