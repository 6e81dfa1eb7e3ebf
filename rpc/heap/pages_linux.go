package heap

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// mostPage bounds the size of a huge page. On ARM with pages of 64 KiB it is 512 MiB, which is more than most heaps.
const mostPage = 4 << 20

// hugePage is the size of a huge page in bytes.
func hugePage() (int, error) {
	const file = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}

// advisor says which mappings of Go's heap should have huge pages (madvise(2)).
type advisor struct {
	// end is behind the last mapping that had been there.
	end uintptr
}

func (a *advisor) advise(huge bool) error {
	size, err := hugePage()
	if err != nil {
		return err
	}
	if size > mostPage {
		return fmt.Errorf("huge pages have %d MiB here", size>>20)
	}
	maps, err := heapMaps()
	if err != nil {
		return err
	}
	for _, m := range maps {
		if !huge {
			err = madvise(m.StartAddr, m.EndAddr, unix.MADV_NOHUGEPAGE)
		} else if err = madvise(m.StartAddr, m.EndAddr, unix.MADV_HUGEPAGE); err == nil && m.EndAddr > a.end {
			// Go grows its heap by 4 MiB, into which it has already written. Systems that cannot make one page of many by now do so later.
			_ = madvise(max(m.StartAddr, a.end), m.EndAddr, unix.MADV_COLLAPSE)
		}
		if err != nil {
			return err
		}
	}
	a.end = maps[len(maps)-1].EndAddr
	return nil
}

func madvise(from, to uintptr, advice uintptr) error {
	if _, _, e := unix.Syscall(unix.SYS_MADVISE, from, to-from, advice); e != 0 {
		return os.NewSyscallError("madvise", e)
	}
	return nil
}

// heapMaps are the mappings of Go's heap: the one with an object of it and those that follow without a gap, either way. Not all
// kernels give them a name.
func heapMaps() ([]*procfs.ProcMap, error) {
	self, err := procfs.Self()
	if err != nil {
		return nil, err
	}
	maps, err := self.ProcMaps()
	if err != nil {
		return nil, err
	}
	object := new([64]byte) // goroutines' stacks are in the heap, too
	at := uintptr(unsafe.Pointer(object))
	first := slices.IndexFunc(maps, func(m *procfs.ProcMap) bool { return at >= m.StartAddr && at < m.EndAddr })
	if first < 0 {
		return nil, errors.New("the heap is in no mapping")
	}
	last := first
	for first > 0 && goesOn(maps[first-1], maps[first]) {
		first--
	}
	for last+1 < len(maps) && goesOn(maps[last], maps[last+1]) {
		last++
	}
	return maps[first : last+1], nil
}

// goesOn reports whether b is the rest of what a is.
func goesOn(a, b *procfs.ProcMap) bool {
	return a.EndAddr == b.StartAddr && *a.Perms == *b.Perms && a.Inode == b.Inode && a.Pathname == b.Pathname
}
