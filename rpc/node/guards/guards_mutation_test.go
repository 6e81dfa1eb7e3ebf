//go:build mutation

package guards

import (
	"slices"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/rpc/node"
	"github.com/quorate/quorate/shardgroup/consensus"
)

func TestWeaken(t *testing.T) {
	called := false
	h := node.Host{Replica: func(*consensus.Config) { called = true }}
	if err := Weaken("fsm.LogTime+consensus.Lease", &h); err != nil {
		t.Fatal(err)
	}
	h.Replica(new(consensus.Config))
	if !*fsm.Off["LogTime"] || *fsm.Off["Ownership"] || !called || h.Group == nil || h.Mux == nil {
		t.Errorf("LogTime off: %v, Ownership off: %v, what was there was called: %v", *fsm.Off["LogTime"], *fsm.Off["Ownership"], called)
	}
	*fsm.Off["LogTime"] = false
	for _, name := range []string{"consensus.Nothing", "Lease", "+"} {
		if err := Weaken(name, &h); err == nil {
			t.Errorf("%q was not refused", name)
		}
	}
	if !slices.Contains(Names(), "raftnet.Clamp") || len(Names()) < 35 {
		t.Errorf("the guards are %v", Names())
	}
}
