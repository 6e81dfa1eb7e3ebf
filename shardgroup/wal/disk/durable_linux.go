//go:build amd64 || arm64

package disk

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Durable is d for a log that has every write on the disk before it goes on: its files are SyncWriters, whose writes go
// around the page cache and are waited for without a thread (see aio). Where the kernel or the file system does not do
// such writes well, they are ordinary ones, and so are those that follow one that made its caller wait: see patience.
func (d Dir) Durable() FS { return durableDir{d, &direct{trusted: trusted, submit: (*aio).submit}} }

// trusted are the types of file systems, as statfs(2) knows them, that do such writes well; those that do not don't say so. FUSE
// forgets to sync after them, and reads beside them leave stale pages in the cache; btrfs makes all of the write and the sync in
// io_submit (1 ms). overlayfs hands them on to whatever lies below.
var trusted = map[int64]bool{unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true}

var errNotTrusted = errors.New("not a file system to write around the page cache of")

type durableDir struct {
	Dir
	direct *direct
}

// Open implements FS.
func (d durableDir) Open(name string) (File, error) {
	f, err := os.OpenFile(d.join(name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &durableFile{file{f}, d.direct}, nil
}

// durableFile is a file of a Durable directory.
type durableFile struct {
	file
	direct *direct
}

// WriteSync implements SyncWriter.
func (f *durableFile) WriteSync(b []byte, at int64) error {
	for len(b) > 0 {
		n, err := f.direct.write(f, b, at)
		if err != nil {
			return err
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

// Beside implements SyncWriter.
func (f *durableFile) Beside() bool { return f.direct.beside.Load() }

// Close implements io.Closer.
func (f *durableFile) Close() error { return errors.Join(f.direct.leave(f), f.file.Close()) }

// direct writes to one file of a directory, the one that was written to last, around the page cache. The block in which the
// last write ended is written again by the next one, with the same bytes before it, as the page cache does. Its descriptor of that
// file goes when the file is closed or another one is written to, its lanes when the file is closed.
type direct struct {
	// file is held shared by writes around the page cache, which so never run beside those by way of it.
	file  sync.RWMutex
	of    *durableFile // nil: none is open
	raw   *os.File     // of, opened once more with O_DIRECT and O_DSYNC
	fd    uintptr
	size  int64
	never atomic.Bool // it does not work here
	// beside: the last write went around the page cache.
	beside atomic.Bool

	mu    sync.Mutex // guards what follows
	lanes []*lane    // those without a write
	made  int        // all lanes: as many as there were writes at the same time, if the kernel had as many
	few   bool       // it had not
	// tail is the beginning of the block in which the last write ended; end is where that was, -1 if unknown.
	tail     [BlockBytes]byte
	end      int64
	patience patience
	// trusted and submit, which is aio.submit, are others in tests.
	trusted map[int64]bool
	submit  func(a *aio, fd uintptr, b []byte, at int64) error
}

// lane is for one write at a time.
type lane struct {
	aio *aio
	buf []byte // for the write's blocks, directBytes
}

// directBytes is the most that is written at once.
const directBytes = 1 << 20

// errPlain: nothing was written, and plain writes will do, or know what is wrong.
var errPlain = errors.New("write by way of the page cache")

// write brings some first bytes of b to the disk.
func (d *direct) write(f *durableFile, b []byte, at int64) (n int, err error) {
	if d.share(f) {
		n, err = d.around(f, b, at)
		d.file.RUnlock()
		if err != errPlain {
			return n, err
		}
	}
	d.file.Lock()
	defer d.file.Unlock()
	return d.plain(f, b, at)
}

// share prepares for writes to f around the page cache and takes file for one, if that works.
func (d *direct) share(f *durableFile) bool {
	for !d.never.Load() {
		d.file.RLock()
		if d.of == f {
			return true
		}
		d.file.RUnlock()
		d.file.Lock()
		if d.of != f && d.enter(f) != nil {
			d.never.Store(true) // whatever it is that this kernel or this file system can't do, plain writes will do or fail
		}
		d.file.Unlock()
	}
	return false
}

// around writes around the page cache. file is held shared.
func (d *direct) around(f *durableFile, b []byte, at int64) (n int, err error) {
	head := int(at % BlockBytes)
	n = min(len(b), directBytes-head)
	blocks := (head + n + BlockBytes - 1) / BlockBytes * BlockBytes
	if at-int64(head)+int64(blocks) > d.size {
		return 0, errPlain
	}
	l := d.take()
	if l == nil {
		return 0, errPlain
	}
	if err := d.fill(l.buf[:blocks], f, b[:n], at, head); err != nil {
		d.put(l)
		return 0, err
	}
	if err := d.start(l, blocks, at-int64(head)); err != nil {
		d.put(l)
		d.never.Store(true)
		return 0, errPlain
	}
	done, err := l.aio.wait()
	if err != nil && l.aio.pending {
		return 0, err // the lane is lost
	}
	defer d.put(l)
	switch whole := done / BlockBytes * BlockBytes; {
	case errors.Is(err, unix.EINVAL): // the disk has larger blocks
		d.never.Store(true)
		return 0, errPlain
	case err != nil:
		return 0, err
	case whole <= head:
		return 0, errPlain
	default:
		n = min(n, whole-head)
		d.keep(l.buf[:head+n], at+int64(n))
		return n, nil
	}
}

// take gives a lane, nil if there should be none, or is none.
func (d *direct) take() *lane {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.patience.lost(time.Now()) {
		return nil
	}
	if last := len(d.lanes) - 1; last >= 0 {
		l := d.lanes[last]
		d.lanes = d.lanes[:last]
		return l
	}
	l, err := newLane()
	if err == nil {
		d.made++
	} else {
		d.few = true
		d.never.Store(d.made == 0)
	}
	return l
}

func (d *direct) put(l *lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lanes = append(d.lanes, l)
}

func newLane() (*lane, error) {
	a, err := newAIO()
	if err != nil {
		return nil, err
	}
	buf, err := unix.Mmap(-1, 0, directBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	return &lane{a, buf}, nil
}

// close waits for what is under way.
func (l *lane) close() error { return errors.Join(l.aio.close(), unix.Munmap(l.buf)) }

// start hands the first blocks of l to the kernel.
func (d *direct) start(l *lane, blocks int, at int64) error {
	start := time.Now()
	err := d.submit(l.aio, d.fd, l.buf[:blocks], at)
	end := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.patience.note(start, end)
	d.beside.Store(err == nil && !d.few)
	return err
}

// plain writes by way of the page cache. file is held.
func (d *direct) plain(f *durableFile, b []byte, at int64) (n int, err error) {
	d.beside.Store(false)
	d.end = -1
	if n, err = f.WriteAt(b, at); err == nil {
		err = f.Sync()
	}
	return n, err
}

// fill puts the blocks together that hold b.
func (d *direct) fill(blocks []byte, f *durableFile, b []byte, at int64, head int) error {
	d.mu.Lock()
	known := d.end == at
	if known {
		copy(blocks[:head], d.tail[:])
	}
	d.mu.Unlock()
	if !known {
		if _, err := f.ReadAt(blocks[:head], at-int64(head)); err != nil {
			return err
		}
	}
	clear(blocks[head+copy(blocks[head:], b):])
	return nil
}

// keep remembers how the block begins in which b, written up to end, ended. Of two writes beside each other, the one that is further on
// counts.
func (d *direct) keep(b []byte, end int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if end > d.end {
		copy(d.tail[:], b[len(b)-len(b)%BlockBytes:])
		d.end = end
	}
}

// enter prepares for writes to f. file is held.
func (d *direct) enter(f *durableFile) (err error) {
	if err := d.release(); err != nil {
		return err
	}
	if d.size, err = f.Size(); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil || !d.trusted[fs.Type] {
		return errors.Join(err, errNotTrusted)
	}
	// Not by its name, it may have another one by now.
	if d.raw, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR|syscall.O_DIRECT|syscall.O_DSYNC, 0); err != nil {
		return err
	}
	d.of, d.fd, d.end = f, d.raw.Fd(), -1
	return nil
}

// leave frees everything, if f is the file that was written to last. It does not wait for a write, which may hang for ever:
// nobody closes a file that is written to, unless the disk has failed him.
func (d *direct) leave(f *durableFile) error {
	if !d.file.TryLock() {
		return nil
	}
	defer d.file.Unlock()
	if d.of != f && d.of != nil {
		return nil
	}
	return d.free()
}

func (d *direct) free() (err error) {
	for _, l := range d.lanes {
		err = errors.Join(err, l.close())
	}
	d.made -= len(d.lanes)
	d.lanes = nil
	return errors.Join(err, d.release())
}

// release closes the second descriptor of the file.
func (d *direct) release() error {
	raw := d.raw
	d.of, d.raw = nil, nil
	if raw == nil {
		return nil
	}
	return raw.Close()
}
