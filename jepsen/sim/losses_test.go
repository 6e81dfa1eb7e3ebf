package sim

import (
	"testing"

	"github.com/quorate/quorate/placement/topology"
)

// So many lose something only if they may be all that had it, and the others can go on without them.
func TestEnoughToLose(t *testing.T) {
	members := []topology.NodeID{"a", "b", "c", "d", "e"}
	for size, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 2, 5: 3} {
		if got := enoughToLose(&topology.Group{Members: members[:size]}); got != want {
			t.Errorf("of %d: %d, want %d", size, got, want)
		}
	}
	if got := enoughToLose(&topology.Group{Members: members, Leaving: "e"}); got != 2 {
		t.Errorf("of 5, one leaving: %d, want 2, as of 4", got)
	}
}
