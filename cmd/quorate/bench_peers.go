package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/versus"
)

func benchPeersCommand() *cobra.Command {
	var o versus.Options
	var output, redis, quorate string
	c := &cobra.Command{
		Use:   "peers",
		Short: "Measure Quorate beside Redis Cluster on this machine",
		Long: `Start Debian's redis-server as a cluster of 3 masters with 2 replicas each, and Quorate as 3 processes, in turn, several
times over; put the same load on both, keys over all slots; print the medians side by side. Nothing else should run meanwhile.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			if o.Dir, err = os.MkdirTemp("", "quorate-peers-"); err != nil {
				return err
			}
			defer os.RemoveAll(o.Dir)
			o.RedisFlags, o.QuorateFlags = strings.Fields(redis), strings.Fields(quorate)
			o.Report = func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) }
			rows, err := versus.Run(c.Context(), o)
			if err != nil {
				return err
			}
			f := adminFlags{output: output}
			return f.print(c.OutOrStdout(), rows, func(w io.Writer) { writePeers(w, rows) })
		},
	}
	f := c.Flags()
	f.IntVar(&o.Pairs, "pairs", 3, "how often each system is measured")
	f.DurationVar(&o.Duration, "duration", 5*time.Second, "time of each measurement")
	f.IntSliceVarP(&o.Pipelines, "pipeline", "P", []int{1, 16, 64}, "commands sent at once")
	f.IntVarP(&o.Clients, "clients", "c", 50, "connections")
	f.IntVar(&o.Keys, "keys", 100_000, "size of the key space")
	f.IntVarP(&o.ValueSize, "value-size", "d", 64, "bytes of a value")
	f.IntVar(&o.Port, "port", 7301, "first port")
	f.StringVar(&redis, "redis-flags", "--appendonly yes --appendfsync everysec", "flags of every redis-server")
	f.StringVar(&quorate, "quorate-flags", "--durability interval", "flags of every quorate server")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

func writePeers(w io.Writer, rows []versus.Row) {
	table(w, "COMMAND\tP\tREDIS OPS/S\tP50\tP99\tCPU/OP\tQUORATE OPS/S\tP50\tP99\tCPU/OP\tOPS RATIO\tCPU RATIO", func(row func(string, ...any)) {
		for _, r := range rows {
			a, b := r.Redis, r.Quorate
			row("%s\t%d\t%.0f\t%s\t%s\t%.2f µs\t%.0f\t%s\t%s\t%.2f µs\t%.2f\t%.2f", r.Command, r.Pipeline,
				a.OpsPerSec, micros(a.P50), micros(a.P99), a.CPUPerOp, b.OpsPerSec, micros(b.P50), micros(b.P99), b.CPUPerOp,
				b.OpsPerSec/a.OpsPerSec, b.CPUPerOp/a.CPUPerOp)
			if a.Errors+b.Errors > 0 {
				row("\t\terrors: %d\t\t\t\terrors: %d", a.Errors, b.Errors)
			}
		}
	})
}
