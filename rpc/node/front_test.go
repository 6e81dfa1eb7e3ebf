package node

import (
	"testing"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/resp"
)

// TestTheKeysDefaultsAreTheFrontEnds: who configures nothing gets what the front end documents.
func TestTheKeysDefaultsAreTheFrontEnds(t *testing.T) {
	n := &Node{}
	config.Flags(pflag.NewFlagSet("server", pflag.ContinueOnError), &n.cfg)
	if got, want := n.frontConfig(), resp.DefaultConfig(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
