//go:build amd64 || arm64

package disk

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Durable is d for a log that has every write on the disk before it goes on: its files are SyncWriters, whose writes go
// around the page cache and are waited for without a thread (see aio). Where the kernel or the file system does not do
// such writes well, they are ordinary ones, and so are those that follow one that made its caller wait: see patience.
func (d Dir) Durable(cached func(why error)) FS {
	return durableDir{d, &direct{cached: cached, trusted: trusted, submit: (*aio).submit}}
}

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

// Close implements io.Closer.
func (f *durableFile) Close() error { return errors.Join(f.direct.leave(f), f.file.Close()) }

// direct writes to one file of a directory, the one that was written to last, around the page cache. The block in which the
// last write ended is written again by the next one, with the same bytes before it, as the page cache does. Its memory and its
// descriptors go when that file is closed, or another one is written to.
type direct struct {
	mu   sync.Mutex
	of   *durableFile // nil: none is open
	raw  *os.File     // of, opened once more with O_DIRECT and O_DSYNC
	fd   uintptr
	size int64
	aio  *aio
	// buf is for the blocks of one write. It begins with the bytes of the block in which the last write ended; end is where
	// that was, -1 if unknown.
	buf      []byte
	end      int64
	patience patience
	// never: it does not work here. told: cached has heard why it did not.
	never, told bool
	cached      func(why error)
	// trusted and submit, which is aio.submit, are others in tests.
	trusted map[int64]bool
	submit  func(a *aio, fd uintptr, b []byte, at int64) error
}

// directBytes is the most that is written at once.
const directBytes = 1 << 20

// write brings some first bytes of b to the disk.
func (d *direct) write(f *durableFile, b []byte, at int64) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of != f {
		if err := d.enter(f); err != nil {
			d.fallBack(err) // whatever it is that this kernel or this file system can't do, plain writes will do or fail
		}
	}
	head := int(at % BlockBytes)
	n = min(len(b), directBytes-head)
	blocks := (head + n + BlockBytes - 1) / BlockBytes * BlockBytes
	if d.never || d.of != f || at-int64(head)+int64(blocks) > d.size || d.patience.lost(time.Now()) {
		return d.plain(f, b, at)
	}
	if err := d.fill(f, b[:n], at, head, blocks); err != nil {
		return 0, err
	}
	if err := d.start(blocks, at-int64(head)); err != nil {
		d.fallBack(err) // nothing was written
		return d.plain(f, b, at)
	}
	done, err := d.aio.wait()
	switch whole := done / BlockBytes * BlockBytes; {
	case errors.Is(err, unix.EINVAL): // the disk has larger blocks
		d.fallBack(err)
		return d.plain(f, b, at)
	case err != nil:
		return 0, err
	case whole <= head:
		return d.plain(f, b, at) // it knows what is wrong
	default:
		return d.keep(min(n, whole-head), at, head), nil
	}
}

// fallBack notes why a write went by way of the page cache: for good, or because something is short at the moment.
func (d *direct) fallBack(why error) {
	d.never = lasting(why)
	if d.never || !d.told {
		d.cached(why)
	}
	d.told = true
}

// lasting reports whether what failed with err will fail again. What is merely short at the moment, as descriptors (EMFILE) or the
// kernel's memory for such writes (EAGAIN), is not.
func lasting(err error) bool {
	return slices.ContainsFunc([]error{errNotTrusted, unix.ENOSYS, unix.EPERM, unix.EINVAL, unix.EOPNOTSUPP}, func(one error) bool {
		return errors.Is(err, one)
	})
}

// start hands the first blocks of buf to the kernel.
func (d *direct) start(blocks int, at int64) error {
	start := time.Now()
	err := d.submit(d.aio, d.fd, d.buf[:blocks], at)
	d.patience.note(start)
	return err
}

// plain writes by way of the page cache.
func (d *direct) plain(f *durableFile, b []byte, at int64) (n int, err error) {
	d.end = -1
	if n, err = f.WriteAt(b, at); err == nil {
		err = f.Sync()
	}
	return n, err
}

// fill puts the blocks together that hold b.
func (d *direct) fill(f *durableFile, b []byte, at int64, head, blocks int) error {
	if d.end != at {
		if _, err := f.ReadAt(d.buf[:head], at-int64(head)); err != nil {
			return err
		}
	}
	clear(d.buf[head+copy(d.buf[head:], b) : blocks])
	return nil
}

// keep remembers the beginning of the block in which a write of n bytes ended.
func (d *direct) keep(n int, at int64, head int) int {
	d.end = at + int64(n)
	last := (head + n) % BlockBytes
	copy(d.buf[:last], d.buf[head+n-last:head+n])
	return n
}

// enter prepares for writes to f.
func (d *direct) enter(f *durableFile) (err error) {
	if d.never {
		return nil
	}
	if err := d.release(); err != nil {
		return err
	}
	if d.size, err = f.Size(); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if !d.trusted[fs.Type] {
		return errNotTrusted
	}
	// Not by its name, it may have another one by now.
	if d.raw, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR|syscall.O_DIRECT|syscall.O_DSYNC, 0); err != nil {
		return err
	}
	d.of, d.fd, d.end = f, d.raw.Fd(), -1
	if d.aio == nil {
		if d.aio, err = newAIO(); err != nil {
			return errors.Join(err, d.free())
		}
	}
	if d.buf == nil {
		if d.buf, err = unix.Mmap(-1, 0, directBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE); err != nil {
			return errors.Join(err, d.free())
		}
	}
	return nil
}

// leave frees everything, if f is the file that was written to last. It does not wait for a write, which may hang for ever:
// nobody closes a file that is written to, unless the disk has failed.
func (d *direct) leave(f *durableFile) error {
	if !d.mu.TryLock() {
		return nil
	}
	defer d.mu.Unlock()
	if d.of != f {
		return nil
	}
	return d.free()
}

func (d *direct) free() (err error) {
	if d.aio != nil {
		err = d.aio.close()
	}
	if d.buf != nil {
		err = errors.Join(err, unix.Munmap(d.buf))
	}
	d.aio, d.buf = nil, nil
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
