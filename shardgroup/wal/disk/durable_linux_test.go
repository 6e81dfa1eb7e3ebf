//go:build amd64 || arm64

package disk

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openDurable gives two durable files of a directory, of the given size.
func openDurable(t *testing.T, size int64) (one, other *durableFile) {
	d, err := OpenDir(t.TempDir())
	must(t, err)
	durable := d.Durable(func(why error) { t.Log(why) })
	open := func(name string) *durableFile {
		f, err := d.Create(name, size, nil)
		must(t, err)
		_, err = f.WriteAt(bytes.Repeat([]byte{0xee}, int(size)), 0) // as in a segment that has had another life
		must(t, errors.Join(err, f.Sync(), f.Close()))
		opened, err := durable.Open(name)
		must(t, err)
		must(t, durable.Rename(name, name+"-renamed")) // as a spare that becomes a segment
		t.Cleanup(func() { opened.Close() })
		return opened.(*durableFile)
	}
	return open("one"), open("other")
}

// skipPlain skips a test of writes around the page cache where the file system has none.
func skipPlain(t *testing.T, f *durableFile) {
	t.Helper()
	must(t, f.WriteSync([]byte{0xee}, 0))
	if f.direct.never {
		t.Skip("writes around the page cache don't work here")
	}
	f.direct.patience = patience{}
}

// TestDurableWritesAreWrites appends pieces of all sizes, also after a jump and after a write to another file, and reads the whole
// back, by the same file and by another descriptor.
func TestDurableWritesAreWrites(t *testing.T) {
	const size = 8<<20 + 100 // its end is in the middle of a block
	f, other := openDurable(t, size)
	rng := rand.New(rand.NewPCG(1, 2))
	want, written, at := make([]byte, size), make([]bool, size), 0
	write := func(n int) {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		must(t, f.WriteSync(b, int64(at)))
		for range copy(want[at:], b) {
			written[at] = true
			at++
		}
	}
	for _, n := range []int{BlockBytes, 1, 7, BlockBytes - 8, 1, BlockBytes, 2*BlockBytes + 5, directBytes, directBytes + 1, 3*directBytes + 77, 1} {
		write(n)
	}
	for range 200 {
		write(1 + rng.IntN(3000))
	}
	at += 10 * BlockBytes / 3
	write(100)
	must(t, other.WriteSync([]byte("x"), 5))
	write(100)
	for at < size {
		write(min(size-at, 1+rng.IntN(1<<20)))
	}
	got := make([]byte, size)
	_, err := f.ReadAt(got, 0)
	must(t, err)
	whole, err := os.ReadFile(f.Name() + "-renamed")
	must(t, err)
	if !bytes.Equal(got, whole) {
		t.Error("two ways to read the file differ")
	}
	for i, x := range got {
		if written[i] && x != want[i] || !written[i] && x != 0 && x != 0xee {
			t.Fatalf("byte %d is %x, want %x (written: %v)", i, x, want[i], written[i])
		}
	}
	b := make([]byte, 8)
	if _, err := other.ReadAt(b, 0); err != nil || !bytes.Equal(b[:6], []byte{0xee, 0xee, 0xee, 0xee, 0xee, 'x'}) {
		t.Errorf("the other file begins with %x, %v", b, err)
	}
}

// Beside writes around the page cache, what was written before can be read, also in the same block.
func TestDurableReadsBesideWrites(t *testing.T) {
	f, _ := openDurable(t, 1<<20)
	done := make(chan error)
	var written [300]byte
	progress := make(chan int, len(written))
	go func() {
		b := make([]byte, 500)
		for i := range progress {
			if _, err := f.ReadAt(b, int64(500*i)); err != nil || !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, 500)) {
				done <- errors.Join(err, errors.New("something else was read"))
				return
			}
		}
		done <- nil
	}()
	for i := range written {
		must(t, f.WriteSync(bytes.Repeat([]byte{byte(i)}, 500), int64(500*i)))
		progress <- i
	}
	close(progress)
	must(t, <-done)
}

// A kernel or a disk that does not want such a write gets plain ones from then on.
func TestDurableWhereItDoesNotWork(t *testing.T) {
	for name, submit := range map[string]func(a *aio, fd uintptr, b []byte, at int64) error{
		"refused":     func(*aio, uintptr, []byte, int64) error { return unix.EOPNOTSUPP },
		"wrong block": func(a *aio, fd uintptr, b []byte, at int64) error { return a.submit(fd, b[:BlockBytes-1], at) },
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := openDurable(t, 1<<20)
			skipPlain(t, f)
			var told []error
			f.direct.submit, f.direct.cached = submit, func(why error) { told = append(told, why) }
			must(t, f.WriteSync([]byte("plain"), 3))
			if name == "wrong block" && !f.direct.never {
				t.Skip("this file system takes any")
			}
			if !f.direct.never {
				t.Error("the next write would be tried again")
			}
			must(t, f.WriteSync([]byte("er"), 8))
			b := make([]byte, 7)
			if _, err := f.ReadAt(b, 3); err != nil || string(b) != "plainer" {
				t.Errorf("read %q, %v", b, err)
			}
			if len(told) != 1 {
				t.Errorf("told of %v, want one reason", told)
			}
		})
	}
}

// Where descriptors are short, writes and syncs are plain ones until there are some again.
func TestDescriptorsAreShortForAWhile(t *testing.T) {
	f, other := openDurable(t, 1<<20)
	skipPlain(t, f)
	var told []error
	f.direct.cached = func(why error) { told = append(told, why) }
	pool := syncPool{submit: (*aio).submitSync}
	within(t, 0, func() {
		for i := range int64(3) {
			must(t, other.WriteSync([]byte("short"), 5*i))
		}
		must(t, pool.sync(f.File, opDataSync))
	})
	if f.direct.never || pool.never || f.direct.of != nil {
		t.Errorf("writes were given up: %v, syncs: %v", f.direct.never, pool.never)
	}
	if len(told) != 1 || !errors.Is(told[0], unix.EMFILE) {
		t.Errorf("told of %v, want EMFILE once", told)
	}
	must(t, other.WriteSync([]byte("enough"), 15))
	b := make([]byte, 21)
	if _, err := other.ReadAt(b, 0); err != nil || string(b) != "shortshortshortenough" || f.direct.of != other {
		t.Errorf("read %q, %v; around the page cache again: %v", b, err, f.direct.of == other)
	}
}

// within does something while this process may open no further descriptors than n.
func within(t *testing.T, n uint64, do func()) {
	t.Helper()
	var usual unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &usual))
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: usual.Max}))
	defer func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &usual)) }()
	do()
}

// A file system that does not do such writes well need not say so.
func TestDurableOnAnotherFileSystem(t *testing.T) {
	f, _ := openDurable(t, 1<<20)
	f.direct.trusted = nil
	f.direct.submit = func(*aio, uintptr, []byte, int64) error {
		t.Error("a write around the page cache")
		return unix.EOPNOTSUPP
	}
	must(t, f.WriteSync([]byte("plain"), 3))
	b := make([]byte, 5)
	if _, err := f.ReadAt(b, 3); err != nil || string(b) != "plain" || f.direct.raw != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

// Those around the page cache end on the disk even where only the flags of the file count (gVisor).
func TestDurableFilesAreOpenForSyncedWrites(t *testing.T) {
	f, _ := openDurable(t, 1<<20)
	skipPlain(t, f)
	flags, err := unix.FcntlInt(f.direct.fd, unix.F_GETFL, 0)
	if want := unix.O_DIRECT | unix.O_DSYNC; err != nil || flags&want != want {
		t.Errorf("flags %x, %v, want %x among them", flags, err, want)
	}
}

// After a write that made its caller wait, writes are plain for a while; those after them continue where they ended.
func TestDurableWriteThatBlocks(t *testing.T) {
	f, _ := openDurable(t, 1<<20)
	skipPlain(t, f)
	submits := 0
	f.direct.submit = func(a *aio, fd uintptr, b []byte, at int64) error {
		submits++
		time.Sleep(enough + time.Millisecond)
		return a.submit(fd, b, at)
	}
	must(t, f.WriteSync([]byte("one"), 0))
	must(t, f.WriteSync([]byte("two"), 3))
	if submits != 1 {
		t.Errorf("%d writes around the page cache, want the first", submits)
	}
	f.direct.patience = patience{}
	must(t, f.WriteSync([]byte("three"), 6))
	b := make([]byte, 11)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "onetwothree" || submits != 2 {
		t.Errorf("read %q, %v; %d writes around the page cache, want 2", b, err, submits)
	}
}

// A disk that takes only a part gets the rest in another write; one that fails is not asked again.
func TestDurableWriteCutShortOrFailing(t *testing.T) {
	f, _ := openDurable(t, 1<<20)
	skipPlain(t, f)
	f.direct.submit = func(a *aio, fd uintptr, b []byte, at int64) error { return a.submit(fd, b[:BlockBytes], at) }
	want := bytes.Repeat([]byte("0123456789"), 2000)
	must(t, f.WriteSync(want, 10))
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 10); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file holds something else, %v", err)
	}
	f.direct.patience = patience{}
	f.direct.submit = func(a *aio, _ uintptr, _ []byte, _ int64) error { // nobody knows what became of it
		_, err := a.event.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
		return err
	}
	if err := f.WriteSync([]byte("x"), 0); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a write without a result: %v", err)
	}
	f.direct.submit = func(a *aio, _ uintptr, b []byte, at int64) error { return a.submit(^uintptr(0)>>1, b, at) } // no such file
	must(t, f.WriteSync([]byte("x"), 0))
	if _, err := f.ReadAt(got[:1], 0); err != nil || got[0] != 'x' {
		t.Errorf("a write that was not made was not made up for: read %q, %v", got[:1], err)
	}
	must(t, f.Close())
	if err := f.WriteSync([]byte("x"), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Descriptors and memory are those of one file, and go with it.
func TestDurableLeavesNothing(t *testing.T) {
	f, other := openDurable(t, 1<<20)
	before := descriptors(t)
	for range 3 {
		for _, f := range []*durableFile{f, other} {
			must(t, f.WriteSync([]byte("x"), 0))
		}
	}
	if n := descriptors(t) - before; n > 2 {
		t.Errorf("%d descriptors for writes to two files, want one file's", n)
	}
	must(t, other.Close())
	must(t, f.Close())
	if n := descriptors(t) - before; n != -2 {
		t.Errorf("%+d descriptors after Close, want -2", n)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	return len(all)
}
