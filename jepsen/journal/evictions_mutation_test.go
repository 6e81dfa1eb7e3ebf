//go:build mutation

package journal

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
)

// The judge does not believe the state machine that an eviction took what it may.
func TestEvictionOfWhatWasWrittenSince(t *testing.T) {
	*fsm.Off["EvictionVersion"] = true
	defer func() { *fsm.Off["EvictionVersion"] = false }()
	s := replayed(t, evicting(t))
	if r := s.Evictions(); r.OK || !strings.Contains(r.Text, "{f}") || len(s.Wronged) != 1 {
		t.Errorf("%+v, wronged %+v", r, s.Wronged)
	}
}
