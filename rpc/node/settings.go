package node

import (
	"context"
	"fmt"
	"strconv"

	"github.com/quorate/quorate/placement/topology"
	"github.com/quorate/quorate/rpc/node/config"
)

// warnOfSettings says, once the node knows its cluster, which settings were given to it in vain: they are for founding one.
func (n *Node) warnOfSettings(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-n.place.Ready():
	}
	for _, s := range inVain(n.cfg, n.place.Map().Settings) {
		n.log.Warn("a setting that was given to this node is not the cluster's: it is for new clusters",
			"key", s.key, "given", s.given, "cluster", s.cluster, "change", fmt.Sprintf("quorate cluster set %s %s", s.key, s.given))
	}
}

// setting is a cluster-wide one, as it was given to a node and as the cluster has it.
type setting struct{ key, given, cluster string }

// inVain lists the settings that were given and differ from the cluster's.
func inVain(c config.Config, s topology.Settings) (out []setting) {
	for _, x := range []setting{
		{"maxmemory", c.MaxMemory.String(), config.Bytes(s.MaxMemory).String()},
		{"maxmemory-policy", c.MaxMemoryPolicy, s.MaxMemoryPolicy},
		{"maxmemory-samples", strconv.Itoa(c.MaxMemorySamples), strconv.Itoa(s.MaxMemorySamples)},
		{"spread-leaders", strconv.FormatBool(c.SpreadLeaders), strconv.FormatBool(s.SpreadLeaders)},
	} {
		if c.Given(x.key) && x.given != x.cluster {
			out = append(out, x)
		}
	}
	return out
}
