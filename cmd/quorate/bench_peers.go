package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/versus"
)

func benchPeersCommand() *cobra.Command {
	var o versus.Options
	var flags reportFlags
	c := &cobra.Command{
		Use:   "peers",
		Short: "Measure Quorate beside Redis Cluster and etcd on this machine",
		Long: `Start one system after the other, several times over and each time in another order, put the same load on each, keys over all
slots, and print medians, lowest and highest, and the ratios of Quorate to each peer, taken pair by pair. Machine, versions,
commit and command lines are part of the output. Nothing else should run meanwhile.

Systems: ` + strings.Join(versus.SystemNames(), ", ") + `.
Redis needs Debian's redis-server, etcd etcd-server. WAIT makes sure that a replica has received a write, not that it is on
its disk. With --write, the text between the lines <!-- figures --> and <!-- /figures --> of a file is replaced.`,
		Example: `  quorate bench peers --pairs 5 --duration 10s --write README.md
  quorate bench peers --systems redis-always-wait,etcd,quorate-always --pipeline 1 --rate 5000 --output markdown`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return flags.run(c, "peers", func(ctx context.Context, s versus.Site) (versus.Report, error) {
				o.Site, o.Command, o.Progress = s, thisCommand(), progress(c)
				return versus.Compare(ctx, o)
			})
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.Systems, "systems", []string{"redis-everysec", "quorate-interval"}, "what to measure; after the first round the order changes")
	f.IntVar(&o.Pairs, "pairs", 3, "how often each system is measured")
	f.DurationVar(&o.Settle, "settle", 5*time.Second, "time between filling a system and the first measurement")
	f.DurationVar(&o.Warmup, "warmup", time.Second, "time before each measurement")
	f.DurationVar(&o.Duration, "duration", 5*time.Second, "time of each measurement")
	f.IntSliceVarP(&o.Pipelines, "pipeline", "P", []int{1, 16, 64}, "commands sent at once")
	f.Float64Var(&o.Rate, "rate", 0, "also measure P=1 at this many operations per second (open loop)")
	f.Float64Var(&o.Hits, "hits", 0.95, "share of GETs, 0 to 1, whose key exists")
	f.IntVarP(&o.Clients, "clients", "c", 50, "connections")
	f.IntVar(&o.Keys, "keys", 100_000, "size of the key space")
	f.IntVarP(&o.ValueSize, "value-size", "d", 64, "bytes of a value")
	flags.register(f, 7301)
	flags.registerRedis(f)
	return c
}
