package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openAny(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func TestDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	d, err := OpenDir(path)
	must(t, err)
	must(t, os.Mkdir(filepath.Join(path, "lost+found"), 0o700))
	must(t, os.WriteFile(filepath.Join(path, "old"), []byte("rubbish"), 0o600))
	const size = 1<<20 + 4096
	f, err := d.Create("old", size, nil)
	must(t, err)
	if n, err := f.Size(); n != size || err != nil {
		t.Errorf("size %d, %v, want %d", n, err, size)
	}
	_, err = f.WriteAt([]byte("end"), size-3)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
	must(t, d.Rename("old", "new"))
	must(t, d.SyncDir())
	f, err = d.Open("new")
	must(t, err)
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	must(t, err)
	if want := append(make([]byte, size-3), "end"...); !bytes.Equal(b, want) {
		t.Error("contents differ from what was written over zeros")
	}
	must(t, f.Close())
	if names, err := d.List(); err != nil || !slices.Equal(names, []string{"new"}) {
		t.Errorf("files %v, %v, want [new]", names, err)
	}
	must(t, d.Remove("new"))
	if names, err := d.List(); err != nil || len(names) != 0 {
		t.Errorf("files %v, %v, want none", names, err)
	}
}

func TestCreateGivesWay(t *testing.T) {
	d, err := OpenDir(t.TempDir())
	must(t, err)
	const size = 3<<20 + 4096
	pauses, enough := 0, errors.New("enough")
	pause := func() error {
		if pauses++; pauses > 4 {
			return enough
		}
		return nil
	}
	f, err := d.Create("whole", size, pause)
	must(t, err)
	if n, err := f.Size(); n != size || err != nil || pauses != 3 {
		t.Errorf("size %d, %v, after %d pauses, want %d after one for each whole MiB", n, err, pauses, size)
	}
	must(t, f.Close())
	if _, err := d.Create("part", size, pause); !errors.Is(err, enough) || pauses != 5 {
		t.Errorf("a pause failed: %v after %d pauses, want it to end the matter", err, pauses)
	}
	if names, err := d.List(); err != nil || !slices.Equal(names, []string{"whole"}) {
		t.Errorf("files %v, %v, want the whole one", names, err)
	}
}

func TestCreateWithoutRoomLeavesNothing(t *testing.T) {
	d, err := OpenDir(t.TempDir())
	must(t, err)
	if _, err := d.Create("huge", 1<<60, nil); err == nil {
		t.Fatal("made a file of an exabyte")
	}
	if names, err := d.List(); err != nil || len(names) != 0 {
		t.Errorf("files %v, %v, want none", names, err)
	}
}
