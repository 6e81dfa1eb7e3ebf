package sim

import (
	"testing"

	"github.com/quorate/quorate/placement/topology"
)

// So many lose something only if they are all that may have had it: more than half.
func TestEnoughToLose(t *testing.T) {
	members := []topology.NodeID{"a", "b", "c", "d", "e"}
	for size, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 3} {
		if got := enoughToLose(&topology.Group{Members: members[:size]}); got != want {
			t.Errorf("of %d: %d, want %d", size, got, want)
		}
	}
	if got := enoughToLose(&topology.Group{Members: members[:4], Leaving: "d"}); got != 2 {
		t.Errorf("of 4, one leaving: %d, want 2, as of 3", got)
	}
	if got := enoughToLose(&topology.Group{Members: members, Leaving: "e"}); got != 3 {
		t.Errorf("of 5, one leaving: %d, want 3, as of 4", got)
	}
}
