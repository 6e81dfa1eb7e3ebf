package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/jepsen/failover"
)

func benchCommand() *cobra.Command {
	var p load.Plan
	var fill bool
	var output string
	c := &cobra.Command{
		Use:     "bench",
		GroupID: "measure",
		Short:   "Put load on this or any Redis Cluster and measure it",
		Long: `Put load on this or any Redis Cluster and measure throughput, latency of pipelines, and the CPU time that the server
processes (--pid) spend per operation. Keys are spread over all slots. With --rate the load is an open loop: latency counts
from the scheduled time, so a stalled server can't hide its stall.`,
		Example: "  quorate bench --addr 127.0.0.1:7001 --pipeline 16 --reads 0.9\n  quorate bench --rate 20000 --duration 30s --output json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := measure(c.Context(), p, fill, c.ErrOrStderr())
			if err != nil {
				return err
			}
			f := adminFlags{output: output}
			return f.print(c.OutOrStdout(), r, func(w io.Writer) { writeResult(w, p, r) })
		},
	}
	f := c.Flags()
	f.StringSliceVarP(&p.Seeds, "addr", "a", []string{"127.0.0.1:7001"}, "client host:port of any nodes")
	f.StringVar(&p.Password, "password", os.Getenv("QUORATE_PASSWORD"), "password (or QUORATE_PASSWORD)")
	f.IntVarP(&p.Clients, "clients", "c", 50, "connections")
	f.IntVarP(&p.Pipeline, "pipeline", "P", 1, "commands sent at once")
	f.Float64Var(&p.Reads, "reads", 0, "share of GETs, 0 to 1; the rest are SETs")
	f.IntVar(&p.Keys, "keys", 100_000, "size of the key space")
	f.IntVar(&p.KeySize, "key-size", 16, "bytes of a key")
	f.IntVarP(&p.ValueSize, "value-size", "d", 64, "bytes of a value")
	f.Float64Var(&p.Zipf, "zipf", 0, "skew of the choice of keys (exponent above 1); 0 is uniform")
	f.Float64Var(&p.Rate, "rate", 0, "operations per second (open loop); 0 sends as fast as replies come")
	f.DurationVar(&p.Warmup, "warmup", time.Second, "time before the measurement")
	f.DurationVar(&p.Duration, "duration", 10*time.Second, "time of the measurement")
	f.IntSliceVar(&p.Pids, "pid", nil, "server processes on this machine whose CPU time is counted")
	f.BoolVar(&fill, "fill", true, "write every key once before, so that reads hit")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	c.AddCommand(benchFailoverCommand(), benchPeersCommand())
	return c
}

func measure(ctx context.Context, p load.Plan, fill bool, progress io.Writer) (load.Result, error) {
	if fill {
		if err := load.Fill(ctx, p); err != nil {
			return load.Result{}, err
		}
	}
	bar := progressbar.NewOptions64(p.Duration.Milliseconds(), progressbar.OptionSetWriter(progress), progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish())
	p.Progress = func(now load.Progress) {
		bar.Describe(fmt.Sprintf("%d ops, %.0f/s, %d errors", now.Ops, float64(now.Ops)/now.Elapsed.Seconds(), now.Errors))
		_ = bar.Set64(now.Elapsed.Milliseconds()) // a display that fails must not end a measurement
	}
	r, err := load.Run(ctx, p)
	_ = bar.Finish()
	return r, err
}

func writeResult(w io.Writer, p load.Plan, r load.Result) {
	fmt.Fprintf(w, "%d clients, pipeline %d, %.0f %% reads, %d-byte values, %s\n\n", p.Clients, p.Pipeline, p.Reads*100, p.ValueSize, r.Elapsed.Round(time.Millisecond))
	table(w, "OPS/S\tP50\tP95\tP99\tP99.9\tMAX\tSERVER CPU/OP\tERRORS\tMISSES", func(row func(string, ...any)) {
		cpu := "-"
		if len(p.Pids) > 0 {
			cpu = fmt.Sprintf("%.2f µs", r.CPUPerOp)
		}
		row("%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d", r.OpsPerSec, micros(r.P50), micros(r.P95), micros(r.P99), micros(r.P999), micros(r.Max), cpu, r.Errors, r.Misses)
	})
	if r.FirstError != "" {
		fmt.Fprintf(w, "\nfirst error: %s\n", r.FirstError)
	}
}

func micros(us int64) string { return (time.Duration(us) * time.Microsecond).String() }

func benchFailoverCommand() *cobra.Command {
	var o failover.Options
	var output string
	c := &cobra.Command{
		Use:   "failover",
		Short: "Hurt a cluster of three processes in every way and measure how long clients notice",
		Long: `Start three server processes, let clients count up on 50 keys, and kill, pause, stop and cut off leaders. Printed for
each fault: how long the victim's keys could not be written (a plain client that follows MOVED; go-redis with default
settings), and whether anything acknowledged was lost or any read was stale.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			if o.Dir, err = os.MkdirTemp("", "quorate-failover-"); err != nil {
				return err
			}
			defer os.RemoveAll(o.Dir)
			o.Report = func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+" …\n", args...) }
			rows, err := failover.Run(c.Context(), o)
			if err != nil {
				return err
			}
			f := adminFlags{output: output}
			return f.print(c.OutOrStdout(), rows, func(w io.Writer) { writeFailover(w, rows) })
		},
	}
	c.Flags().IntVar(&o.Port, "port", 7201, "client port of the first node")
	c.Flags().BoolVar(&o.Network, "netns", false, "run nodes in network namespaces, to cut leaders off too (root, iproute2)")
	c.Flags().DurationVar(&o.Before, "before", 2*time.Second, "load before each fault and after it is healed")
	c.Flags().DurationVar(&o.After, "after", 3*time.Second, "load after the first write that succeeds again")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

func writeFailover(w io.Writer, rows []failover.Row) {
	table(w, "FAULT\tPLAIN CLIENT\tGO-REDIS\tGO-REDIS ERRORS\tACKED\tREFUSED\tUNKNOWN\tREADS\tVIOLATIONS", func(row func(string, ...any)) {
		for _, r := range rows {
			row("%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d", r.Fault, r.Recovery.Round(time.Millisecond), r.GoRedis.Round(time.Millisecond),
				r.GoRedisErrors, r.Acked, r.Refused, r.Unknown, r.Reads, len(r.Violations))
		}
	})
	for _, r := range rows {
		for _, v := range r.Violations {
			fmt.Fprintf(w, "%s: %s\n", r.Fault, v)
		}
	}
}
