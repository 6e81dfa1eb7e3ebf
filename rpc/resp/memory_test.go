package resp

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestThePeakDoesNotFall: used_memory_peak is that of the process, not of the moment.
func TestThePeakDoesNotFall(t *testing.T) {
	c := newWorld(t, 1).dial(t)
	peak := func() (n int64) {
		_, after, _ := strings.Cut(c.do("INFO", "memory"), "used_memory_peak:")
		if _, err := fmt.Sscan(after, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ballast := make([]byte, 64<<20)
	before := peak()
	runtime.KeepAlive(ballast)
	ballast = nil
	runtime.GC()
	if after := peak(); after < before {
		t.Errorf("the peak fell from %d to %d", before, after)
	}
}
