package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/rolling"
)

func benchRollingCommand() *cobra.Command {
	var o rolling.Options
	var output string
	c := &cobra.Command{
		Use:   "rolling",
		Short: "Restart every node in turn under load and count what clients notice",
		Long: `Start three server processes and let applications count keys up: through a plain client that follows MOVED, through
go-redis and through rueidis, both with default settings. Then stop each node with SIGTERM, start it again and wait until
it says that it is ready. With a failed command or a violation, it ends with status 1. Printed for each client:

  COMMANDS        commands that were answered or failed; of the plain client, whose workers do not pause, writes and reads, of the
                  others only writes, after each of which a worker pauses for 2 ms
  ERRORS          those of them that failed: an error, or no answer
  LONGEST PAUSE   of the plain client, the longest time between two acknowledged writes of one key, in which its worker writes
                  five or six others, too; of the others, the longest time that one command took, with all that the client
                  repeats by itself

Violations are acknowledged writes that were lost, writes applied twice, stale reads, and replicas that differ.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(oneOf(output, "text", "json"), checkPort(o.Port, processes)); err != nil {
				return err
			}
			o.Report = func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) }
			return inFolder(c.Context(), "", "quorate-rolling-", func(binary, dir string) error {
				o.Binary, o.Dir = binary, dir
				r, err := rolling.Run(c.Context(), o)
				return errors.Join(err, rollingError(r), printRolling(c.OutOrStdout(), output, r))
			})
		},
	}
	c.Flags().IntVar(&o.Port, "port", 7401, "client port of the first node")
	c.Flags().IntVar(&o.Rounds, "rounds", 2, "how often every node is restarted")
	c.Flags().DurationVar(&o.Between, "between", 3*time.Second, "load before the first restart and after each")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// printRolling prints what clients noticed, if there were any.
func printRolling(w io.Writer, output string, r rolling.Result) error {
	if len(r.Rows) == 0 {
		return nil
	}
	f := adminFlags{output: output}
	return f.print(w, r, func(w io.Writer) { writeRolling(w, r) })
}

func writeRolling(w io.Writer, r rolling.Result) {
	if r.Partial != "" {
		fmt.Fprintf(w, "PARTIAL, as the measurement ended early: %s\n\n", r.Partial)
	}
	table(w, "CLIENT\tCOMMANDS\tERRORS\tLONGEST PAUSE", func(row func(string, ...any)) {
		for _, x := range r.Rows {
			row("%s\t%d\t%d\t%s", x.Client, x.Commands, x.Errors, x.Longest.Round(time.Millisecond))
		}
	})
	for _, x := range r.Rows {
		for _, e := range x.Examples {
			fmt.Fprintf(w, "%s: %s\n", x.Client, e)
		}
	}
	for _, v := range r.Violations {
		fmt.Fprintln(w, v)
	}
}

// rollingError is there if clients noticed what none may: a planned restart fails no command. One that failed in a run that ended early
// may have met its end.
func rollingError(r rolling.Result) error {
	failed := int64(0)
	for _, x := range r.Rows {
		failed += x.Errors
	}
	if r.Partial != "" {
		failed = 0
	}
	if failed > 0 || len(r.Violations) > 0 {
		return finding(fmt.Sprintf("%d failed commands, %d violations", failed, len(r.Violations)))
	}
	return nil
}
