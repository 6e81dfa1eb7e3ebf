package heap

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inChild, in the environment, makes the test binary grow a heap that had nothing in it.
const inChild = "QUORATE_TEST_GROW"

// big is on the heap.
var big []byte

// hugeBytes is how much of this process is in huge pages (AnonHugePages, proc_pid_smaps(5)).
func hugeBytes(t *testing.T) (n int) {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "AnonHugePages:"); ok {
			if n, err = strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB")); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n << 10
}

// TestTheHeapGetsHugePages is with the real heap. Where the system makes none it finds that nobody goes on trying.
func TestTheHeapGetsHugePages(t *testing.T) {
	if os.Getenv(inChild) == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inChild+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if _, err := newHeap(); err != nil {
		HugePages(t.Context(), log)
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); HugePages(ctx, log) }()
	before := hugeBytes(t)
	const size = 256 << 20
	big = make([]byte, size)
	clear(big)
	// Not all of it: memory may be fragmented. Not often: where huge pages are dear, a process that works gets few.
	for end := time.Now().Add(30 * time.Second); hugeBytes(t)-before < size/4; time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatalf("%d MiB are in huge pages, and %d before the heap grew by %d", hugeBytes(t)>>20, before>>20, size>>20)
		}
	}
	cancel()
	<-ended
	// A page in each 64 KiB is returned, and the huge pages are gone. What is left is made huge again.
	grown := hugeBytes(t)
	for at := 0; at < size; at += 64 << 10 {
		if err := unix.Madvise(big[at:at+os.Getpagesize()], unix.MADV_DONTNEED); err != nil {
			t.Fatal(err)
		}
	}
	left := hugeBytes(t)
	if left > grown-size/8 {
		t.Fatalf("%d MiB were in huge pages and %d are", grown>>20, left>>20)
	}
	heap, err := newHeap()
	if err != nil {
		t.Fatal(err)
	}
	_, end, err := heap.grown(0)
	if err != nil {
		t.Fatal(err)
	}
	p := pages{heap: heap, log: log, slice: mostTime, size: heapSize(), end: end}
	p.mend(mend{spare: 2 * size, mapped: heapSize()})
	for end := time.Now().Add(30 * time.Second); hugeBytes(t)-left < size/8; {
		if time.Now().After(end) {
			t.Fatalf("%d MiB are in huge pages after a mend, and %d before", hugeBytes(t)>>20, left>>20)
		}
		for rest := time.Now().Add(time.Second); time.Now().Before(rest); {
			time.Sleep(p.look(0))
		}
	}
	runtime.KeepAlive(big)
}

func TestHeapSizeSeesGrowth(t *testing.T) {
	before := heapSize()
	big = make([]byte, before+64<<20) // more than the heap could have free
	defer func() { big = nil }()
	if after := heapSize(); after < before+64<<20 {
		t.Errorf("%d MiB, and with %d more %d", before>>20, len(big)>>20, after>>20)
	}
}

func TestHeapBoundsHoldTheHeap(t *testing.T) {
	big = make([]byte, 1<<20)
	defer func() { big = nil }()
	from, to, err := heapBounds()
	if err != nil {
		t.Fatal(err)
	}
	if at := uintptr(unsafe.Pointer(&big[0])); at < from || at+uintptr(len(big)) > to {
		t.Errorf("%x lies outside of %x to %x", at, from, to)
	}
	if size := uint64(to - from); size < heapSize() {
		t.Errorf("it has %d MiB, and Go says %d", size>>20, heapSize()>>20)
	}
}
