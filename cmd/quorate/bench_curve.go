package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/versus"
)

func benchCurveCommand() *cobra.Command {
	var o versus.CurveOptions
	var flags reportFlags
	c := &cobra.Command{
		Use:   "curve groups|clients|keys",
		Short: "Measure how the cost of an operation changes with groups, connections or keys",
		Long: `Start three fresh Quorate nodes for each value of one quantity, fill the key space, and print CPU time per SET and GET, with
the ratio to the first value; over clients and keys, then the same of Redis Cluster. With --write, the text between
<!-- curve-groups --> and <!-- /curve-groups --> (or curve-clients, curve-keys) of a file is replaced.`,
		Example: `  quorate bench curve groups --values 3,32,128
  quorate bench curve clients --values 50,1000,10000 --rounds 5 --quorate-flags '--maxclients 20000' --redis-flags '--maxclients 20000'
  quorate bench curve keys --values 1000000,20000000`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"groups", "clients", "keys"},
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed(args[0]) {
				return fmt.Errorf("--%s is what varies: give its values by --values", args[0])
			}
			return flags.run(c, "curve-"+args[0], func(ctx context.Context, s versus.Site) (versus.Report, error) {
				o.Site, o.Command, o.Progress, o.Over = s, thisCommand(), progress(c), args[0]
				if args[0] == "groups" && !c.Flags().Changed("peer") {
					o.Peer = ""
				}
				return versus.Curve(ctx, o)
			})
		},
	}
	f := c.Flags()
	f.IntSliceVar(&o.Values, "values", nil, "values of what varies, in order")
	f.IntVar(&o.Rounds, "rounds", 1, "how often everything is measured, for medians")
	f.StringVar(&o.System, "system", "quorate-interval", "one of Quorate's systems in bench peers")
	f.StringVar(&o.Peer, "peer", "redis-everysec", "whose costs to measure too; '' is nobody's, and so is the default over groups")
	f.IntVar(&o.Groups, "groups", 0, "shard groups; 0 is one per node")
	f.IntVarP(&o.Clients, "clients", "c", 50, "connections")
	f.IntVar(&o.Keys, "keys", 100_000, "size of the key space")
	f.IntVarP(&o.Pipeline, "pipeline", "P", 16, "commands sent at once")
	f.IntVarP(&o.ValueSize, "value-size", "d", 64, "bytes of a value")
	f.DurationVar(&o.Warmup, "warmup", time.Second, "time before each measurement")
	f.DurationVar(&o.Duration, "duration", 10*time.Second, "time of each measurement")
	flags.register(f, 7601)
	flags.registerRedis(f)
	return c
}
