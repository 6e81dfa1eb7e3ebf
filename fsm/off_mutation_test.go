//go:build mutation

package fsm_test

import (
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
)

// TestEvictionComparesVersions shows what the guard is for: while leaders choose from all that is committed, one batch at a time, no
// simulation gets here.
func TestEvictionComparesVersions(t *testing.T) {
	for _, off := range []bool{false, true} {
		*fsm.Off["EvictionVersion"] = off
		r := newReplica(t)
		r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1, Policy: entry.AllKeysRandom, Samples: 1}))
		r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1 << 20, Policy: entry.AllKeysRandom, Samples: 1}))
		r.do("SET", "key", "chosen")
		op, _, ok := r.m.Victims(1<<20, 1, r.now, 1)
		if !ok {
			t.Fatal("nothing can be evicted")
		}
		r.do("SET", "key", "written since")
		r.apply(&reply.Writer{}, op)
		if gone := r.do("GET", "key") == "$-1\r\n"; gone != off {
			t.Errorf("guard off: %v; the key that was written since is gone: %v", off, gone)
		}
	}
	*fsm.Off["EvictionVersion"] = false
}
