package heap

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// mostPage bounds the size of a huge page. On ARM with pages of 64 KiB it is 512 MiB, which is more than most heaps.
const mostPage = 4 << 20

// goHeap is the memory of Go's heap.
type goHeap struct {
	// page is the size of a huge page.
	page uintptr
	// residents is for mincore(2): a byte for each page of the system.
	residents []byte
}

// newHeap fails where there are no huge pages, or where nobody wants them.
func newHeap() (memory, error) {
	if err := wanted(); err != nil {
		return nil, err
	}
	text, err := setting("hpage_pmd_size")
	if err != nil {
		return nil, err
	}
	size, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("size of huge pages: %w", err)
	}
	if size == 0 || size > mostPage {
		return nil, fmt.Errorf("huge pages have %d bytes here", size)
	}
	h := &goHeap{page: uintptr(size), residents: make([]byte, int(size)/os.Getpagesize())}
	if err := h.advise(0, 0); err != 0 {
		return nil, os.NewSyscallError("madvise(MADV_COLLAPSE)", err)
	}
	return h, nil
}

// wanted returns an error if the administrator wants no huge pages, which MADV_COLLAPSE does not care about.
func wanted() error {
	enabled, err := setting("enabled")
	if err == nil && strings.Contains(enabled, "[never]") {
		err = errors.New("transparent_hugepage/enabled is never")
	}
	return err
}

// setting is one of the system's for huge pages.
func setting(name string) (string, error) {
	text, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/" + name)
	return strings.TrimSpace(string(text)), err
}

func (h *goHeap) grown(end uintptr) (pieces []uintptr, now uintptr, err error) {
	if err := wanted(); err != nil {
		return nil, 0, err
	}
	from, to, err := heapBounds()
	if err != nil {
		return nil, 0, err
	}
	from = (max(from, end) + h.page - 1) &^ (h.page - 1)
	for ; from+h.page <= to; from += h.page {
		pieces = append(pieces, from)
	}
	return pieces, from, nil
}

func (h *goHeap) pageSize() uintptr { return h.page }

// held is all of the piece as well if the system does not say: then it is tried.
func (h *goHeap) held(piece uintptr) (n uintptr) {
	if _, _, err := unix.Syscall(unix.SYS_MINCORE, piece, h.page, uintptr(unsafe.Pointer(&h.residents[0]))); err != 0 {
		return h.page
	}
	for _, b := range h.residents {
		n += uintptr(b & 1)
	}
	return n * (h.page / uintptr(len(h.residents)))
}

// resident is as much as can be if the system does not say.
func (h *goHeap) resident() uint64 {
	self, err := procfs.Self()
	if err != nil {
		return math.MaxUint64
	}
	status, err := self.NewStatus()
	if err != nil {
		return math.MaxUint64
	}
	return status.RssAnon
}

func (h *goHeap) collapse(piece uintptr) (again bool) {
	switch h.advise(piece, h.page) {
	case unix.EAGAIN, unix.EBUSY, unix.ENOMEM: // a page is in use, or there is no memory now
		return true
	}
	return false
}

// spent does not have what others do on the thread's processor meanwhile.
func (h *goHeap) spent() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0 // nothing is dear
	}
	return time.Duration(t.Nano())
}

func (h *goHeap) used() time.Duration { return used() }

func (h *goHeap) advise(at, size uintptr) syscall.Errno {
	_, _, err := unix.Syscall(unix.SYS_MADVISE, at, size, unix.MADV_COLLAPSE)
	return err
}

// heapBounds is where Go's heap begins and ends: the mapping that holds an object, with those that follow without a gap, either way.
// Only if other memory is in its way Go continues somewhere else, which nobody finds then. Not all systems know mappings by a name.
func heapBounds() (from, to uintptr, err error) {
	self, err := procfs.Self()
	if err != nil {
		return 0, 0, err
	}
	maps, err := self.ProcMaps()
	if err != nil {
		return 0, 0, err
	}
	object := new([64]byte) // goroutines' stacks are in the heap, too
	at := uintptr(unsafe.Pointer(object))
	first := slices.IndexFunc(maps, func(m *procfs.ProcMap) bool { return at >= m.StartAddr && at < m.EndAddr })
	if first < 0 {
		return 0, 0, errors.New("the heap is in no mapping")
	}
	last := first
	for first > 0 && goesOn(maps[first-1], maps[first]) {
		first--
	}
	for last+1 < len(maps) && goesOn(maps[last], maps[last+1]) {
		last++
	}
	return maps[first].StartAddr, maps[last].EndAddr, nil
}

// goesOn reports whether b is the rest of what a is.
func goesOn(a, b *procfs.ProcMap) bool {
	return a.EndAddr == b.StartAddr && *a.Perms == *b.Perms && a.Inode == b.Inode && a.Pathname == b.Pathname
}
