//go:build !mutation

package guards

import (
	"testing"

	"github.com/quorate/quorate/rpc/node"
)

// TestNoGuardHasAName: see also TestGuardsCanNotBeSwitchedOff at the root.
func TestNoGuardHasAName(t *testing.T) {
	var h node.Host
	if err := Weaken("consensus.Lease", &h); err == nil || len(Names()) > 0 || h.Mux != nil || h.Replica != nil || h.Group != nil {
		t.Errorf("a normal build knows %v and did not refuse: %v", Names(), err)
	}
	if err := Weaken("", &h); err != nil {
		t.Error(err)
	}
}
