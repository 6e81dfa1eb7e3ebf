package trial

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestSegmentsAreNoLeak: eviction × snapshot-kill, seed 1, had 25 segments of 1 MB at its end, and the checker took them for a leak.
func TestSegmentsAreNoLeak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what files a process has open")
	}
	before := segments(os.Getpid())
	for _, name := range []string{"1.wal", "2.wal", "3.snap"} {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if got := segments(os.Getpid()) - before; got != 2 {
		t.Errorf("%d of two open segments were counted", got)
	}
	if !(resources{Goroutines: [2]int{50, 50}, Files: [2]int{24, 47}}).leaks() {
		t.Error("23 more files that are not the log's must count as a leak")
	}
}
