package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/versus"
)

func benchSnapshotCommand() *cobra.Command {
	var o versus.SnapshotOptions
	var flags reportFlags
	c := &cobra.Command{
		Use:   "snapshot",
		Short: "Measure what snapshots cost and how long they hold up writes",
		Long: `Start three fresh Quorate nodes, fill the key space and overwrite keys at random, in turn without snapshots and while all
replicas of one group after the other write one. Printed for each: latency, how long groups applied a batch and marked a
snapshot, how long a program that only computes was held up meanwhile, CPU time, garbage collection, and the most memory
that a node had. With --write, the text between the lines <!-- snapshot --> and <!-- /snapshot --> of a file is replaced.`,
		Example: `  quorate bench snapshot --keys 5000000 --rate 10000
  quorate bench snapshot --keys 5000000 --rate 0 --pipeline 16`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return flags.run(c, "snapshot", func(ctx context.Context, s versus.Site) (versus.Report, error) {
				o.Site, o.Command, o.Progress = s, thisCommand(), progress(c)
				return versus.Snapshots(ctx, o)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&o.System, "system", "quorate-interval", "one of Quorate's systems in bench peers")
	f.IntVar(&o.Groups, "groups", 0, "shard groups; 0 is one per node")
	f.IntVarP(&o.Clients, "clients", "c", 50, "connections")
	f.IntVar(&o.Keys, "keys", 1_000_000, "size of the key space")
	f.IntVarP(&o.Pipeline, "pipeline", "P", 1, "commands sent at once")
	f.IntVarP(&o.ValueSize, "value-size", "d", 64, "bytes of a value")
	f.Float64Var(&o.Rate, "rate", 10_000, "SETs per second (open loop); 0 sends as fast as replies come")
	f.IntVar(&o.Pairs, "pairs", 2, "measurements without and with snapshots")
	f.DurationVar(&o.Warmup, "warmup", time.Second, "time before each measurement")
	f.DurationVar(&o.Duration, "duration", 10*time.Second, "time of each measurement")
	flags.register(f, 7701)
	return c
}
