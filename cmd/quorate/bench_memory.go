package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/versus"
)

func benchMemoryCommand() *cobra.Command {
	var o versus.MemoryOptions
	var flags reportFlags
	c := &cobra.Command{
		Use:   "memory",
		Short: "Measure how much memory a key takes",
		Long: `Start a system, note the resident memory (RSS) of its processes, write keys, wait until memory no longer changes, and print
bytes per key and copy: with and without what the empty processes needed.

Systems: ` + strings.Join(versus.SystemNames(), ", ") + `.
With --write, the text between the lines <!-- memory --> and <!-- /memory --> of a file is replaced.`,
		Example: `  quorate bench memory --keys 5000000 --value-size 64,1024 --systems quorate-interval,redis-everysec`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return flags.run(c, "memory", func(ctx context.Context, s versus.Site) (versus.Report, error) {
				o.Site, o.Command, o.Progress = s, thisCommand(), progress(c)
				return versus.Memory(ctx, o)
			})
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.Systems, "systems", []string{"quorate-interval"}, "what to measure, in this order")
	f.IntVar(&o.Keys, "keys", 1_000_000, "keys of 16 bytes")
	f.IntSliceVarP(&o.ValueSizes, "value-size", "d", []int{64}, "bytes of a value, each measured on fresh servers")
	f.DurationVar(&o.Settle, "settle", 5*time.Minute, "longest time until memory has not changed for 100s")
	flags.register(f, 7401)
	flags.registerRedis(f)
	return c
}
