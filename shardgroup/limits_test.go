package shardgroup

import (
	"errors"
	"testing"
	"time"

	"github.com/quorate/quorate/shardgroup/consensus"
)

// TestWithoutParking: without a leader every call is refused at once, and with one nothing is.
func TestWithoutParking(t *testing.T) {
	for name, reads := range map[string]consensus.Reads{"lease": consensus.Lease, "quorum": consensus.Quorum} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCluster(t, func(_ *node, cfg *Config) { cfg.Consensus.Reads, cfg.Limits.Park = reads, NoPark })
				l := c.leader()
				l.submit("SET k v").want(t, "+OK ")
				l.read("GET k").want(t, "$1 v ")
				late := c.others(l)[0]
				followed, together := calling("GET k"), calling("GET k")
				late.ReadFollower(followed, false)
				followed.want(t, "$1 v ")
				l.doReads(together)
				together.want(t, "$1 v ")

				late.isolate()
				c.await("a replica without a leader", func() bool { return late.Leader().Leader == "" })
				for what, do := range map[string]func() error{
					"write": func() error { return late.submit("SET k w").Err },
					"read":  func() error { return late.read("GET k").Err },
					"read of a follower": func() error {
						call := calling("GET k")
						late.ReadFollower(call, false)
						return call.Err
					},
					"submitted read": func() error {
						call := calling("GET k")
						late.doReads(call)
						return call.Err
					},
				} {
					began := time.Now()
					if err := do(); !errors.Is(err, ErrNoLeader) || time.Since(began) != 0 {
						t.Errorf("%s: %v after %v", what, err, time.Since(began))
					}
				}
			})
		})
	}
}
