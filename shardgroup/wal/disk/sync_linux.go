//go:build amd64 || arm64

package disk

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// datasync brings what was written to a file to the disk, dirsync a directory's names. A sync takes from a tenth of a millisecond
// to many, and nobody else waits meanwhile (see aio): by fdatasync(2), a program with one processor stood still for up to
// 10 ms, until Go's monitor thread woke up, for each 8 MiB of a snapshot and for each second of a log.
func datasync(f *os.File) error { return syncers.sync(f, opDataSync) }

func dirsync(f *os.File) error { return syncers.sync(f, opSync) }

// syncers do the process's syncs.
var syncers = syncPool{submit: (*aio).submitSync}

// syncPool has as many waiters as there were syncs at the same time, but keeps only a few: one is a descriptor and some
// kernel memory, and to give it back takes the kernel milliseconds.
type syncPool struct {
	mu    sync.Mutex
	idle  []*aio
	never bool // it does not work here
	// submit is another one in tests.
	submit func(a *aio, fd uintptr, opcode uint16) error
}

// idleSyncers are kept.
const idleSyncers = 4

func (p *syncPool) sync(f *os.File, opcode uint16) error {
	a := p.take()
	if a == nil {
		return plainSync(f, opcode)
	}
	if p.submit(a, f.Fd(), opcode) != nil {
		// Nothing has begun. What this kernel or this file system can't do, the plain call will do or fail.
		p.put(a)
		return plainSync(f, opcode)
	}
	_, err := a.wait()
	if !a.pending {
		p.put(a)
	}
	return err
}

// take gives a waiter, nil if there are none here.
func (p *syncPool) take() *aio {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.idle) - 1; last >= 0 {
		a := p.idle[last]
		p.idle = p.idle[:last]
		return a
	}
	if p.never {
		return nil
	}
	a, err := newAIO()
	p.never = lasting(err)
	return a
}

func (p *syncPool) put(a *aio) {
	p.mu.Lock()
	keep := len(p.idle) < idleSyncers
	if keep {
		p.idle = append(p.idle, a)
	}
	p.mu.Unlock()
	if !keep {
		a.close() // nothing is under way
	}
}

// plainSync is the system call.
func plainSync(f *os.File, opcode uint16) error {
	return retry(func() error {
		if opcode == opSync {
			return unix.Fsync(int(f.Fd()))
		}
		return unix.Fdatasync(int(f.Fd()))
	})
}
