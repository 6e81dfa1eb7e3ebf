package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/versus"
)

func benchIdleCommand() *cobra.Command {
	var o versus.IdleOptions
	var flags reportFlags
	c := &cobra.Command{
		Use:   "idle",
		Short: "Measure the CPU time of nodes that nobody uses",
		Long: `Start three Quorate nodes with some number of groups, let them settle, and print which part of a core each node keeps busy
without clients. With --write, the text between the lines <!-- idle --> and <!-- /idle --> of a file is replaced.`,
		Example: `  quorate bench idle --groups 3,100 --duration 30s`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return flags.run(c, "idle", func(ctx context.Context, s versus.Site) (versus.Report, error) {
				o.Site, o.Command, o.Progress = s, thisCommand(), progress(c)
				return versus.Idle(ctx, o)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&o.System, "system", "quorate-always", "one of Quorate's systems in bench peers")
	f.IntSliceVar(&o.Groups, "groups", []int{3, 32, 100}, "numbers of shard groups, each measured on fresh nodes")
	f.DurationVar(&o.Settle, "settle", 5*time.Second, "time after the start that isn't measured")
	f.DurationVar(&o.Duration, "duration", 20*time.Second, "time of each measurement")
	flags.register(f, 7501)
	return c
}
