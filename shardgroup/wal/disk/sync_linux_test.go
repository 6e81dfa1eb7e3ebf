//go:build amd64 || arm64

package disk

import (
	"errors"
	"os"
	"runtime/pprof"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// However many syncs are under way, no thread waits for one.
func TestSyncsWaitWithoutThreads(t *testing.T) {
	const many, poll = 50, 5 // IOCB_CMD_POLL ends when somebody writes into the pipe
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	var began, ended sync.WaitGroup
	began.Add(many)
	pool := syncPool{submit: func(a *aio, _ uintptr, _ uint16) error {
		defer began.Done()
		a.request = iocb{opcode: poll, fd: uint32(r.Fd()), buf: unix.POLLIN | unix.POLLHUP, flags: flagEventFD, eventFD: a.eventFD}
		return a.hand()
	}}
	f := openAny(t)
	threads := pprof.Lookup("threadcreate").Count()
	for range many {
		ended.Go(func() {
			if err := pool.sync(f, opDataSync); err != nil {
				t.Error(err)
			}
		})
	}
	began.Wait()
	if more := pprof.Lookup("threadcreate").Count() - threads; more >= many/2 {
		t.Errorf("%d more threads while %d syncs are under way", more, many)
	}
	must(t, w.Close())
	ended.Wait()
	if n := len(pool.idle); n != idleSyncers {
		t.Errorf("%d waiters are kept, want %d", n, idleSyncers)
	}
	for _, a := range pool.idle {
		must(t, a.close())
	}
}

// Where the kernel does not take syncs, or lends no waiter, they are the plain calls.
func TestPlainSyncs(t *testing.T) {
	closed := openAny(t)
	must(t, closed.Close())
	for name, pool := range map[string]*syncPool{
		"refused":   {submit: func(*aio, uintptr, uint16) error { return unix.EINVAL }},
		"no waiter": {never: true},
	} {
		for _, opcode := range []uint16{opSync, opDataSync} {
			f := openAny(t)
			must(t, pool.sync(f, opcode))
			if err := pool.sync(closed, opcode); !errors.Is(err, unix.EBADF) {
				t.Errorf("%s: sync of a closed file: %v, want EBADF", name, err)
			}
		}
		for _, a := range pool.idle {
			must(t, a.close())
		}
	}
}

// A failed sync is told, and its waiter takes the next one; one that may be under way for ever is not used again.
func TestSyncFails(t *testing.T) {
	f := openAny(t)
	buf := []byte("x")
	pool := syncPool{submit: func(a *aio, fd uintptr, _ uint16) error { return a.submit(fd, buf, 1<<62) }}
	for range 3 {
		if err := pool.sync(f, opDataSync); !errors.Is(err, unix.EFBIG) && !errors.Is(err, unix.EINVAL) {
			t.Errorf("a sync that fails: %v", err)
		}
	}
	if len(pool.idle) != 1 {
		t.Errorf("%d waiters, want the one that was used for all", len(pool.idle))
	}
	lost := pool.idle[0]
	pool.submit = func(a *aio, _ uintptr, _ uint16) error {
		a.pending = true
		_, err := a.event.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0}) // it says that there is an answer, but there is none
		return err
	}
	if err := pool.sync(f, opDataSync); err == nil || len(pool.idle) != 0 {
		t.Errorf("a sync without an answer: %v, %d waiters for others", err, len(pool.idle))
	}
	must(t, lost.close())
}
