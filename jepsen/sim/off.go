//go:build !mutation

package sim

import (
	"errors"

	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup/consensus"
)

// Guards are those that can be switched off; none in this build.
func Guards() []string { return nil }

func (p Plan) weaken() {}

func (p Plan) weakenMux(*raftnet.Mux) {}

func (p Plan) weakenReplica(*consensus.Config) {}

func checkGuard(name string) error {
	if name == "" {
		return nil
	}
	return errors.New("guards can be switched off only in builds with the tag mutation")
}
