package testfaults

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// watched obeys a file of the test; order writes to it and waits until the orders hold.
func watched(t *testing.T) (f *Faults, order func(Orders)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "faults")
	f, err := Watch(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f, func(o Orders) {
		t.Helper()
		if err := o.Save(path); err != nil {
			t.Fatal(err)
		}
		for f.now.Load().Orders != o {
			time.Sleep(poll)
		}
	}
}

func someFile(t *testing.T, f *Faults) (disk.FS, disk.File) {
	t.Helper()
	d, err := f.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file, err := d.Create("a", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return d, file
}

func TestNoFileNoFaults(t *testing.T) {
	f, err := Watch("", slog.Default())
	if f != nil || err != nil {
		t.Fatalf("got %v, %v", f, err)
	}
	d, err := f.Open(t.TempDir())
	if _, plain := d.(disk.Dir); !plain || err != nil {
		t.Errorf("a node without orders has disk %T, %v", d, err)
	}
	if off := time.Until(f.Clock()).Abs(); off > time.Minute {
		t.Errorf("its clock is %v off", off)
	}
	f.Close()
}

func TestTheClockJumpsAndDrifts(t *testing.T) {
	f, order := watched(t)
	order(Orders{ClockShift: -time.Hour})
	if off := time.Until(f.Clock()); off > -50*time.Minute {
		t.Errorf("an hour back: %v off", off)
	}
	// So fast that the machine's load can't hide it.
	order(Orders{ClockDrift: 1e6})
	before := f.Clock()
	time.Sleep(time.Millisecond)
	if ran := f.Clock().Sub(before); ran < 10*time.Minute {
		t.Errorf("in a millisecond at a million times its speed the clock ran %v", ran)
	}
	order(Orders{})
	if off := time.Until(f.Clock()).Abs(); off > 10*time.Minute {
		t.Errorf("healed: %v off", off)
	}
}

func TestASyncFailsOnce(t *testing.T) {
	f, order := watched(t)
	d, file := someFile(t, f)
	order(Orders{FailSync: true})
	if err := file.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("first sync: %v", err)
	}
	if err := errors.Join(file.Sync(), d.SyncDir()); err != nil || f.Hit() != 1 {
		t.Errorf("later syncs: %v; %d were hurt", err, f.Hit())
	}
}

func TestAStuckSyncGoesOnWhenHealed(t *testing.T) {
	f, order := watched(t)
	_, file := someFile(t, f)
	order(Orders{SyncStuck: true})
	done := make(chan error)
	go func() { done <- file.Sync() }()
	for f.Hit() == 0 {
		time.Sleep(poll)
	}
	select {
	case err := <-done:
		t.Fatalf("a stuck sync returned %v", err)
	default:
	}
	order(Orders{})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAFullDisk(t *testing.T) {
	f, order := watched(t)
	d, file := someFile(t, f)
	order(Orders{FailWrite: true})
	_, err := file.WriteAt([]byte("x"), 0)
	if _, created := d.Create("b", 10, nil); !errors.Is(err, syscall.ENOSPC) || !errors.Is(created, syscall.ENOSPC) {
		t.Errorf("write: %v, create: %v", err, created)
	}
	order(Orders{})
	if _, err := file.WriteAt([]byte("x"), 0); err != nil || f.Hit() != 2 {
		t.Errorf("healed: %v; %d were hurt", err, f.Hit())
	}
}

func TestSlowSyncsAreCounted(t *testing.T) {
	f, order := watched(t)
	d, file := someFile(t, f)
	order(Orders{SyncDelay: time.Microsecond})
	if err := errors.Join(file.Sync(), d.SyncDir()); err != nil || f.Hit() != 2 {
		t.Errorf("%v; %d were slowed down", err, f.Hit())
	}
}

func TestOrdersThatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faults")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Watch(path, slog.Default()); err == nil {
		t.Error("a node must not start with orders that it does not understand")
	}
}
