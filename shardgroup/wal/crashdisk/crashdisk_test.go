package crashdisk

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, d *Disk, name string) []byte {
	t.Helper()
	f := must(d.Open(name))(t)
	b := make([]byte, must(f.Size())(t))
	if len(b) > 0 {
		must(f.ReadAt(b, 0))(t)
	}
	return b
}

// synced makes a file of four sectors of 'a' that nothing can take away.
func synced(t *testing.T, d *Disk) disk.File {
	t.Helper()
	f := must(d.Create("f", 4*sector, nil))(t)
	must(f.WriteAt(bytes.Repeat([]byte("a"), 4*sector), 0))(t)
	ok(t, errors.Join(f.Sync(), d.SyncDir()))
	return f
}

// TestCrashForgetsOnlyWhatWasNotSynced: over many crashes, each unsynced sector is seen old and new, and no synced one
// changes.
func TestCrashForgetsOnlyWhatWasNotSynced(t *testing.T) {
	d := new(Disk)
	f := synced(t, d)
	must(f.WriteAt(bytes.Repeat([]byte("b"), 2*sector), sector))(t)
	seen := map[string]bool{}
	for seed := range uint64(200) {
		b := contents(t, d.Crash(rand.New(rand.NewPCG(seed, 0))), "f")
		if b[0] != 'a' || b[3*sector] != 'a' {
			t.Fatal("a synced sector was lost")
		}
		seen[string(b[sector])+string(b[2*sector])] = true
	}
	if len(seen) != 4 {
		t.Errorf("seen %v, want aa, ab, ba and bb", seen)
	}
	if b := contents(t, d, "f"); b[sector] != 'b' {
		t.Error("the crash changed the disk it was asked of")
	}
}

func TestNamesAreDurableAfterSyncDir(t *testing.T) {
	d := new(Disk)
	synced(t, d)
	ok(t, d.Rename("f", "g"))
	names := map[string]bool{}
	for seed := range uint64(50) {
		list := must(d.Crash(rand.New(rand.NewPCG(seed, 0))).List())(t)
		if len(list) != 1 {
			t.Fatalf("files %v after a rename", list)
		}
		names[list[0]] = true
	}
	if len(names) != 2 {
		t.Errorf("seen %v, want the old and the new name", names)
	}
	ok(t, d.SyncDir())
	for seed := range uint64(50) {
		if list := must(d.Crash(rand.New(rand.NewPCG(seed, 0))).List())(t); list[0] != "g" {
			t.Fatalf("files %v after the directory was synced", list)
		}
	}
}

// TestFailedSyncLosesPages: the next sync says that all is well, and the bytes are gone in the next power cut.
func TestFailedSyncLosesPages(t *testing.T) {
	d := new(Disk)
	f := synced(t, d)
	must(f.WriteAt([]byte("b"), 0))(t)
	d.SetHook(func(op Op, _ string) error {
		if op == Sync {
			return errors.New("EIO")
		}
		return nil
	})
	if f.Sync() == nil {
		t.Fatal("sync did not fail")
	}
	d.SetHook(nil)
	ok(t, f.Sync())
	if contents(t, d.Kill(), "f")[0] != 'b' || contents(t, d.Crash(rand.New(rand.NewPCG(1, 1))), "f")[0] != 'a' {
		t.Error("want the new byte after a kill and the old one after a power cut")
	}
}

func TestPowerCut(t *testing.T) {
	d := new(Disk)
	f := synced(t, d)
	d.CutPower(1)
	must(f.WriteAt([]byte("b"), 0))(t)
	if _, err := f.WriteAt([]byte("c"), sector); !errors.Is(err, ErrPowerCut) {
		t.Fatalf("write without power: %v", err)
	}
	if _, err := f.WriteAt([]byte("d"), 2*sector); !errors.Is(err, ErrPowerCut) {
		t.Fatalf("second write without power: %v", err)
	}
	c := false
	for seed := range uint64(50) {
		b := contents(t, d.Crash(rand.New(rand.NewPCG(seed, 0))), "f")
		c = c || b[sector] == 'c'
		if b[2*sector] != 'a' {
			t.Fatal("a write after the power cut reached the disk")
		}
	}
	if !c {
		t.Error("the write during the power cut never reached the disk")
	}
}

// A file of size 0 grows; what was not synced of its growth may be gone, all or in part.
func TestFilesGrow(t *testing.T) {
	d := new(Disk)
	f := must(d.Create("f", 0, nil))(t)
	must(f.WriteAt([]byte("synced"), 0))(t)
	ok(t, errors.Join(f.Sync(), d.SyncDir()))
	must(f.WriteAt([]byte(" and not"), 6))(t)
	if got := contents(t, d, "f"); string(got) != "synced and not" {
		t.Errorf("holds %q", got)
	}
	if got := contents(t, d.Kill(), "f"); string(got) != "synced and not" {
		t.Errorf("after a kill it holds %q", got)
	}
	for seed := range uint64(20) {
		after := d.Crash(rand.New(rand.NewPCG(seed, 0)))
		if got := contents(t, after, "f"); string(got) != "synced" {
			t.Errorf("after a power cut it holds %q", got)
		}
		must(must(after.Open("f"))(t).WriteAt([]byte("!"), 6))(t)
		if got := contents(t, after, "f"); string(got) != "synced!" {
			t.Errorf("written again it holds %q", got)
		}
	}
}
