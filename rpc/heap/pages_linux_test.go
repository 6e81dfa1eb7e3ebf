package heap

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

var big []byte

// flagsAt are the VmFlags of the mapping that holds an address (proc_pid_smaps(5)).
func flagsAt(t *testing.T, at uintptr) []string {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		head, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if from, to, ok := strings.Cut(head, "-"); ok {
			a, err1 := strconv.ParseUint(from, 16, 64)
			b, err2 := strconv.ParseUint(to, 16, 64)
			inside = err1 == nil && err2 == nil && uint64(at) >= a && uint64(at) < b
		}
		if inside && head == "VmFlags:" {
			return strings.Fields(rest)
		}
	}
	t.Fatalf("no mapping holds %x", at)
	return nil
}

func TestTheHeapIsAdvised(t *testing.T) {
	size, err := hugePage()
	if err != nil || size > mostPage {
		if new(advisor).advise(true) == nil {
			t.Errorf("huge pages of %d bytes (%v), and no error", size, err)
		}
		return
	}
	big = make([]byte, 64<<20)
	defer func() { big = nil }()
	for huge, flag := range map[bool]string{true: "hg", false: "nh"} {
		if err := new(advisor).advise(huge); err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{0, len(big) - 1} {
			if flags := flagsAt(t, uintptr(unsafe.Pointer(&big[at]))); !slices.Contains(flags, flag) {
				t.Errorf("huge pages %v: no flag %s in %v", huge, flag, flags)
			}
		}
	}
	runtime.KeepAlive(big)
}

func TestHeapSizeSeesGrowth(t *testing.T) {
	before := heapSize()
	big = make([]byte, 256<<20)
	after := heapSize()
	big = nil
	if after < 256<<20 || after < before {
		t.Errorf("%d MiB, and with 256 more %d", before>>20, after>>20)
	}
	runtime.GC()
	if again := heapSize(); again < after {
		t.Errorf("the size fell from %d to %d MiB", after>>20, again>>20)
	}
}
