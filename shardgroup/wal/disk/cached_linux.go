//go:build amd64 || arm64

package disk

import (
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Cached is d for a log that is synced now and then only, so that its writes end in memory. Their system calls are made
// without telling Go's scheduler: a small write into the page cache takes a microsecond or less, telling the scheduler
// a tenth of that, and what the scheduler then does is far more: each time that a process wakes up for a write, its monitor
// thread begins to look after the processors 50,000 times a second (7 % of all CPU time with three nodes on two cores).
//
// Where the kernel does block such a write, the next ones are ordinary for a while: see patience.
func (d Dir) Cached() FS { return cachedDir{d} }

// maxCached is the largest write that is made without the scheduler.
const maxCached = 256 << 10

type cachedDir struct{ Dir }

// Create implements FS. Blocks that are allocated but not written make a sync dearer, which is nothing once in a second. Zeros are
// 64 MB more to write for each 64 MB of log, synced step by step between the log's own writes: with them the 99.9th percentile of
// pipelines of 64 SETs was 255 to 485 ms in three of four runs on three nodes with one disk, without 35 to 50 ms. A log that becomes
// one of a Durable directory has dearer syncs until its spares are used up.
func (d cachedDir) Create(name string, size int64, pause func() error) (File, error) {
	return d.create(name, size, false, pause)
}

// Open implements FS.
func (d cachedDir) Open(name string) (File, error) {
	f, err := os.OpenFile(d.join(name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &cachedFile{file: file{f}, raw: raw, pwrite: pwrite}
	c.step = c.write
	return c, nil
}

// cachedFile is a file of a Cached directory.
type cachedFile struct {
	file
	raw syscall.RawConn
	// pwrite is the system call; tests put in a slow one.
	pwrite func(fd uintptr, b []byte, at int64) (int, error)

	mu       sync.Mutex
	patience patience
	// b, at, n, err are the present write's; step is write, bound once.
	b    []byte
	at   int64
	n    int
	err  error
	step func(fd uintptr)
}

// WriteAt implements io.WriterAt.
func (f *cachedFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.writeNow(b, at)
	if err == nil && n < len(b) { // not made at all, or cut short: the ordinary way knows what to do
		var more int
		more, err = f.file.WriteAt(b[n:], at+int64(n))
		n += more
	}
	return n, err
}

// writeNow writes without the scheduler, or nothing if that should not be.
func (f *cachedFile) writeNow(b []byte, at int64) (int, error) {
	if len(b) == 0 || len(b) > maxCached {
		return 0, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	start := time.Now()
	if f.patience.lost(start) {
		return 0, nil
	}
	f.b, f.at = b, at
	if f.raw.Control(f.step) != nil { // it keeps the descriptor from being closed meanwhile
		return 0, nil
	}
	f.b = nil
	f.patience.note(start)
	return f.n, f.err
}

func (f *cachedFile) write(fd uintptr) { f.n, f.err = f.pwrite(fd, f.b, f.at) }

func pwrite(fd uintptr, b []byte, at int64) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_PWRITE64, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(at), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, os.NewSyscallError("pwrite64", errno)
		}
	}
}
