package heap

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// big is on the heap.
var big []byte

// hugeBytes is how much of the mapping that holds an address, and of those that continue it, is in huge pages
// (AnonHugePages, proc_pid_smaps(5)).
func hugeBytes(t *testing.T, from, to uintptr) (n int) {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		head, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if a, b, ok := strings.Cut(head, "-"); ok {
			start, err1 := strconv.ParseUint(a, 16, 64)
			end, err2 := strconv.ParseUint(b, 16, 64)
			inside = err1 == nil && err2 == nil && uint64(from) < end && start < uint64(to)
		}
		if inside && head == "AnonHugePages:" {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			n += kib << 10
		}
	}
	return n
}

// TestTheHeapGetsHugePages is with the real heap, and where the system has none expects that nobody tries.
func TestTheHeapGetsHugePages(t *testing.T) {
	h, err := newHeap()
	enabled, _ := setting("enabled")
	if err != nil {
		if strings.Contains(enabled, "[madvise]") || strings.Contains(enabled, "[always]") {
			t.Errorf("no huge pages where they are %q: %v", enabled, err)
		}
		return
	}
	before, _, err := heapBounds()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); keep(ctx, time.Second) }()
	defer func() { cancel(); <-done; big = nil }()
	big = make([]byte, 256<<20)
	clear(big)
	from := uintptr(unsafe.Pointer(&big[0]))
	piece := h.(*goHeap).page
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		huge := hugeBytes(t, from, from+uintptr(len(big)))
		if huge > len(big)/2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d MiB are in huge pages of %d MiB", huge>>20, len(big)>>20, piece>>20)
		}
	}
	after, _, err := heapBounds()
	if err != nil || after != before {
		t.Errorf("the heap begins at %x, and after it has grown at %x (%v)", before, after, err)
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
}
