//go:build amd64 || arm64

package disk

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// openCached gives a cached file of the given size, and counts the writes that are made without the scheduler.
func openCached(t *testing.T, size int64, slow func(call int) time.Duration) (f *cachedFile, calls *int) {
	d, err := OpenDir(t.TempDir())
	must(t, err)
	zeros, err := d.Create("f", size, nil)
	must(t, err)
	must(t, zeros.Close())
	opened, err := d.Cached().Open("f")
	must(t, err)
	t.Cleanup(func() { opened.Close() })
	f, calls = opened.(*cachedFile), new(int)
	f.pwrite = func(fd uintptr, b []byte, at int64) (int, error) {
		*calls++
		time.Sleep(slow(*calls))
		return pwrite(fd, b, at)
	}
	return f, calls
}

func TestCachedBlocksAreAllocated(t *testing.T) {
	d, err := OpenDir(t.TempDir())
	must(t, err)
	const size = 3<<20 + 4096
	must(t, os.WriteFile(d.join("f"), []byte("rubbish"), 0o600))
	f, err := d.Cached().Create("f", size, func() error { return errors.New("zeros are written") })
	must(t, err)
	must(t, errors.Join(f.Sync(), f.Close()))
	got, err := os.ReadFile(d.join("f"))
	must(t, err)
	if !bytes.Equal(got, make([]byte, size)) {
		t.Errorf("%d bytes, want %d zeros", len(got), size)
	}
	var st syscall.Stat_t
	must(t, syscall.Stat(d.join("f"), &st))
	if st.Blocks*512 < size {
		t.Errorf("%d bytes allocated, want %d", st.Blocks*512, size)
	}
	if _, err := d.Cached().Create("too large", 1<<62, nil); err == nil {
		t.Error("more was allocated than there is")
	}
	if names, err := d.List(); err != nil || !slices.Equal(names, []string{"f"}) {
		t.Errorf("files %v, %v, want f", names, err)
	}
}

func TestCachedWritesAreWrites(t *testing.T) {
	const size = 2 << 20
	f, calls := openCached(t, size, func(int) time.Duration { return 0 })
	want := make([]byte, size)
	for i, n := range []int{1, 700, 4096, maxCached, maxCached + 1, 0} {
		b, at := bytes.Repeat([]byte{byte(i + 1)}, n), int64(i)*300_000
		copy(want[at:], b)
		if k, err := f.WriteAt(b, at); k != n || err != nil {
			t.Errorf("write of %d bytes: %d, %v", n, k, err)
		}
	}
	if *calls != 4 {
		t.Errorf("%d writes were made without the scheduler, want 4", *calls)
	}
	must(t, f.Sync())
	got, err := os.ReadFile(f.Name())
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Error("the file holds something else")
	}
}

// After a write that blocked, writes are ordinary for a while, and reach the file all the same.
func TestCachedWriteThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, calls := openCached(t, 4096, func(call int) time.Duration {
			if call == 2 {
				return enough + 1
			}
			return enough
		})
		for i, want := range []int{1, 2, 2, 2} {
			if _, err := f.WriteAt([]byte{byte(i + 1)}, int64(i)); err != nil || *calls != want {
				t.Errorf("write %d: %v, %d without the scheduler, want %d", i, err, *calls, want)
			}
		}
		time.Sleep(penance*(enough+1) + 1)
		if _, err := f.WriteAt([]byte{5}, 4); err != nil || *calls != 3 {
			t.Errorf("after the penance: %v, %d without the scheduler, want 3", err, *calls)
		}
		b := make([]byte, 5)
		if _, err := f.ReadAt(b, 0); err != nil || !bytes.Equal(b, []byte{1, 2, 3, 4, 5}) {
			t.Errorf("the file holds %v, %v", b, err)
		}
	})
}

func TestCachedWriteCutShortGoesOn(t *testing.T) {
	f, _ := openCached(t, 4096, func(int) time.Duration { return 0 })
	f.pwrite = func(fd uintptr, b []byte, at int64) (int, error) { return pwrite(fd, b[:3], at) }
	if n, err := f.WriteAt([]byte("whole"), 10); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	b := make([]byte, 5)
	if _, err := f.ReadAt(b, 10); err != nil || string(b) != "whole" {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestCachedWriteFails(t *testing.T) {
	f, calls := openCached(t, 4096, func(int) time.Duration { return 0 })
	if n, err := f.WriteAt([]byte("x"), -1); n != 0 || err == nil {
		t.Errorf("before the beginning: %d, %v", n, err)
	}
	must(t, f.Close())
	before := *calls
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, os.ErrClosed) || *calls != before {
		t.Errorf("after Close: %v, %d calls", err, *calls-before)
	}
}
