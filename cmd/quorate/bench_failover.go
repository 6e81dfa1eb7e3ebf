package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/failover"
)

func benchFailoverCommand() *cobra.Command {
	var o failover.Options
	var output string
	c := &cobra.Command{
		Use:   "failover",
		Short: "Hurt a cluster of three processes in every way and measure how long clients notice",
		Long: `Start three server processes, let clients count up on 50 keys, and kill, pause, stop and cut off leaders. With a violation, it ends
with status 1. Printed for each fault:

  PLAIN CLIENT      time from the fault to the first acknowledgement of a write of the victim's keys that was sent after it, by
                    clients that follow MOVED and give a command 250 ms
  GO-REDIS          the same by an application on go-redis with default settings; "> …" if there was none as long as it
                    was watched
  GO-REDIS ERRORS   commands of that application that failed, before the fault and after it too
  ACKED             writes of the plain clients that were acknowledged
  REFUSED           that were not applied: those refused, and those that could not be sent
  UNKNOWN           that may have been applied or not
  READS             reads of the plain clients that were answered
  VIOLATIONS        acknowledged writes that were lost, writes applied twice, stale reads, replicas that differ`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(oneOf(output, "text", "json"), checkPort(o.Port, processes)); err != nil {
				return err
			}
			o.Report = func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+" …\n", args...) }
			return inFolder(c.Context(), "", "quorate-failover-", func(binary, dir string) error {
				o.Binary, o.Dir = binary, dir
				rows, err := failover.Run(c.Context(), o)
				return errors.Join(err, failoverError(rows), printFailover(c.OutOrStdout(), output, rows, o.After, err))
			})
		},
	}
	c.Flags().IntVar(&o.Port, "port", 7201, "client port of the first node")
	c.Flags().BoolVar(&o.Network, "netns", false, "run nodes in network namespaces, to cut leaders off too (root, iproute2)")
	c.Flags().DurationVar(&o.Before, "before", 2*time.Second, "load before each fault and after it is healed")
	c.Flags().DurationVar(&o.After, "after", 3*time.Second, "load after the first write that succeeds again")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// printFailover prints the rows that were finished before a failure, or all of them.
func printFailover(w io.Writer, output string, rows []failover.Row, watched time.Duration, failure error) error {
	if len(rows) == 0 {
		return nil
	}
	f := adminFlags{output: output}
	return f.print(w, rows, func(w io.Writer) {
		if failure != nil {
			fmt.Fprintf(w, "PARTIAL, as the measurement ended early: %v\n\n", failure)
		}
		writeFailover(w, rows, watched)
	})
}

func writeFailover(w io.Writer, rows []failover.Row, watched time.Duration) {
	table(w, "FAULT\tPLAIN CLIENT\tGO-REDIS\tGO-REDIS ERRORS\tACKED\tREFUSED\tUNKNOWN\tREADS\tVIOLATIONS", func(row func(string, ...any)) {
		for _, r := range rows {
			row("%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d", r.Fault, plainTime(r), goRedisTime(r, watched),
				r.GoRedisErrors, r.Acked, r.Refused, r.Unknown, r.Reads, len(r.Violations))
		}
	})
	for _, r := range rows {
		for _, v := range r.Violations {
			fmt.Fprintf(w, "%s: %s\n", r.Fault, v)
		}
	}
}

// failoverError is there if a fault did what none may.
func failoverError(rows []failover.Row) error {
	violations := 0
	for _, r := range rows {
		violations += len(r.Violations)
	}
	if violations > 0 {
		return finding(fmt.Sprintf("%d violations", violations))
	}
	return nil
}

// notMeasured stands for a time before which the run ended.
const notMeasured = "-"

func plainTime(r failover.Row) string {
	if r.Partial != "" && r.Recovery == 0 {
		return notMeasured
	}
	return r.Recovery.Round(time.Millisecond).String()
}

// goRedisTime is how long go-redis took, or that it took longer than it was watched (its read timeout is 3 s).
func goRedisTime(r failover.Row, watched time.Duration) string {
	switch {
	case r.GoRedis == 0 && r.Partial != "":
		return notMeasured // it may have been watched for less
	case r.GoRedis == 0:
		return "> " + (r.Recovery + watched).Round(time.Second/10).String()
	}
	return r.GoRedis.Round(time.Millisecond).String()
}
