package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/client/load"
	"github.com/quorate/quorate/client/load/report"
	"github.com/quorate/quorate/jepsen/versus"
)

func benchCommand() *cobra.Command {
	var p load.Plan
	var fill bool
	var hits float64
	var output string
	c := &cobra.Command{
		Use:     "bench",
		GroupID: "measure",
		Short:   "Put load on this or any Redis Cluster and measure it",
		Long: `Put load on this or any Redis Cluster and measure throughput, latency of pipelines, and the CPU time that the server
processes (--pid) spend per operation. Keys are spread over all slots, and connections evenly over the nodes that own some; each
connection chooses among the keys of its node. With --rate the load is an open loop: latency counts from the scheduled time, so a
stalled server can't hide its stall, and what was due by the end but not answered counts too. A closed loop counts what was not
answered at the end if it had waited longer than anything that was. What is refused at once has no latency. MOVED is an error and is
not followed: no slots should move meanwhile. JSON and HTML hold the course over time and the whole histogram too; the HTML page
needs nothing else. The keys (k:…) stay behind. Interrupted, it prints what it has seen and ends with status 1; so it ends, without
a table, if there were only errors.`,
		Example: `  quorate bench --addr 127.0.0.1:7001 --pipeline 16 --reads 0.9 --hits 0.95
  quorate bench --rate 20000 --duration 30s --pid "$(pgrep -d, -x quorate)" --output html > report.html`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := oneOf(output, "text", "json", "html"); err != nil {
				return err
			}
			if !(hits >= 0 && hits <= 1) { // nor NaN
				return fmt.Errorf("--hits %v: want 0 to 1", hits)
			}
			p.Absent = 1 - hits
			r, err := measure(c.Context(), p, fill, c.ErrOrStderr())
			if err != nil && !r.Interrupted {
				return err
			}
			if output == "html" {
				return errors.Join(report.Write(c.OutOrStdout(), "quorate bench, "+strings.Join(p.Seeds, " "), facts(p, hits), r), err)
			}
			f := adminFlags{output: output}
			return errors.Join(f.print(c.OutOrStdout(), r, func(w io.Writer) { writeResult(w, p, r) }), err)
		},
	}
	f := c.Flags()
	planFlags(f, &p)
	f.Float64Var(&hits, "hits", 1, "share of GETs, 0 to 1, whose key exists (with --fill)")
	f.BoolVar(&fill, "fill", true, "write every key once before, so that reads hit")
	f.StringVarP(&output, "output", "o", "text", "text, json or html")
	c.AddCommand(benchFailoverCommand(), benchPeersCommand(), benchMemoryCommand(), benchIdleCommand(), benchCurveCommand(), benchSnapshotCommand(),
		benchRollingCommand())
	return c
}

func planFlags(f *pflag.FlagSet, p *load.Plan) {
	f.StringSliceVarP(&p.Seeds, "addr", "a", []string{"127.0.0.1:7001"}, "client host:port of any nodes")
	passwordFlag(f, &p.Password, "password (or QUORATE_PASSWORD)")
	f.IntVarP(&p.Clients, "clients", "c", 50, "connections, one for each node at least")
	f.IntVarP(&p.Pipeline, "pipeline", "P", 1, "commands sent at once")
	f.Float64Var(&p.Reads, "reads", 0, "share of GETs, 0 to 1; the rest are SETs")
	f.IntVar(&p.WaitReplicas, "wait", 0, "end each pipeline that writes by WAIT with this number of replicas")
	f.IntVar(&p.Keys, "keys", 100_000, "size of the key space")
	f.IntVar(&p.KeySize, "key-size", 16, "bytes of a key")
	f.IntVarP(&p.ValueSize, "value-size", "d", 64, "bytes of a value")
	f.Float64Var(&p.Zipf, "zipf", 0, "skew of the choice of keys: an exponent of up to 10, such as YCSB's 0.99; 0 is uniform")
	f.Float64Var(&p.Rate, "rate", 0, "operations per second (open loop); 0 sends as fast as replies come")
	f.DurationVar(&p.Warmup, "warmup", time.Second, "time before the measurement")
	f.DurationVar(&p.Duration, "duration", 10*time.Second, "time of the measurement")
	f.DurationVar(&p.Interval, "interval", time.Second, "resolution of the course over time")
	f.IntSliceVar(&p.Pids, "pid", nil, "server processes on this machine whose CPU time is counted")
}

// oneOf refuses an --output that a command does not have, before it measures for minutes.
func oneOf(output string, choices ...string) error {
	if !slices.Contains(choices, output) {
		return fmt.Errorf("--output %q: want %s", output, strings.Join(choices, ", "))
	}
	return nil
}

// facts say what a page's reader must know about a measurement.
func facts(p load.Plan, hits float64) report.Facts {
	loop := "closed: each connection sends when the last pipeline is answered"
	if p.Rate > 0 {
		loop = fmt.Sprintf("open: %.0f operations/s were asked for, latency counts from the scheduled time", p.Rate)
	}
	choice := "uniform"
	if p.Zipf > 0 {
		choice = fmt.Sprintf("zipf %g", p.Zipf)
	}
	return report.Facts{
		{"command", thisCommand()},
		{"load", fmt.Sprintf("%d connections, pipeline %d, %.0f %% reads of which %.0f %% ask for keys that exist", p.Clients, p.Pipeline, p.Reads*100, hits*100)},
		{"loop", loop},
		{"keys", fmt.Sprintf("%d over all slots, chosen %s; %d-byte keys, %d-byte values", p.Keys, choice, p.KeySize, p.ValueSize)},
		{"generator", "quorate " + version() + ", " + versus.ThisMachine("").String()},
		{"finished", time.Now().UTC().Format(time.RFC3339)},
	}
}

func measure(ctx context.Context, p load.Plan, fill bool, progress io.Writer) (load.Result, error) {
	live := newLiveTable(progress)
	defer live.done()
	if fill {
		p.Progress = func(now load.Progress) { live.show([]string{fmt.Sprintf("%d of %d keys written", now.Ops, p.Keys)}) }
		if err := load.Fill(ctx, p); err != nil {
			return load.Result{}, err
		}
	}
	p.Progress = func(now load.Progress) { live.show(courseOf(p, now)) }
	return load.Run(ctx, p)
}

// courseOf tells how a measurement goes: all of it, and its last interval.
func courseOf(p load.Plan, now load.Progress) []string {
	lines := []string{fmt.Sprintf("%v of %v: %d ops, %.0f/s, %d errors",
		now.Elapsed.Round(time.Second), p.Duration, now.Ops, float64(now.Ops)/now.Elapsed.Seconds(), now.Errors)}
	if last := now.Last; last != nil {
		line := fmt.Sprintf("at last %.0f/s, p50 %s, p99 %s, max %s", last.OpsPerSec, micros(last.P50), micros(last.P99), micros(last.Max))
		if len(p.Pids) > 0 {
			line += fmt.Sprintf(", servers busy on %.2f cores", last.CPUs)
		}
		lines = append(lines, line)
	}
	return lines
}

func writeResult(w io.Writer, p load.Plan, r load.Result) {
	fmt.Fprintf(w, "%d clients, pipeline %d, %.0f %% reads, %d-byte values, %s\n\n", p.Clients, p.Pipeline, p.Reads*100, p.ValueSize, r.Elapsed.Round(time.Millisecond))
	table(w, "OPS/S\tP50\tP95\tP99\tP99.9\tMAX\tSERVER CPU/OP\tERRORS\tMISSES", func(row func(string, ...any)) {
		cpu := "-"
		if len(p.Pids) > 0 {
			cpu = fmt.Sprintf("%.2f µs", r.CPUPerOp)
		}
		ops := fmt.Sprintf("%.0f", r.OpsPerSec)
		if p.Rate > 0 {
			ops += fmt.Sprintf(" of %.0f", p.Rate)
		}
		row("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d", ops, micros(r.P50), micros(r.P95), micros(r.P99), micros(r.P999), micros(r.Max), cpu, r.Errors, r.Misses)
	})
	if r.Interrupted {
		fmt.Fprintf(w, "\nInterrupted: this is a part of the measurement, which should have taken %v.\n", p.Duration)
	}
	if r.Unanswered > 0 {
		fmt.Fprintf(w, "\n%d operations were not answered by the end. What they had waited is among the latencies.\n", r.Unanswered)
	}
	if r.Late.Max > 0 {
		fmt.Fprintf(w, "\nThis machine woke the generator late: p99 %s, p99.9 %s, at most %s.\n", micros(r.Late.P99), micros(r.Late.P999), micros(r.Late.Max))
	}
	if r.StoodStill > 0 {
		fmt.Fprintf(w, "For %s in all, a processor stood still. That touched %.1f %% of the pipelines; of the others p99 was %s, p99.9 %s.\n",
			r.StoodStill.Round(time.Millisecond), 100*r.Disturbed, micros(r.Undisturbed.P99), micros(r.Undisturbed.P999))
	}
	if r.Redirects > 0 {
		fmt.Fprintf(w, "\n%d of the errors were MOVED, which is not followed: slots were moved, or a group changed its leader.\n", r.Redirects)
	}
	if r.FirstError != "" {
		fmt.Fprintf(w, "\nfirst error: %s\n", r.FirstError)
	}
}

func micros(us int64) string { return (time.Duration(us) * time.Microsecond).String() }
