package main

import (
	"fmt"
	"io"
	"os"
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
it says that it is ready. Printed for each client: commands, failed commands, the longest wait for one command.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			if o.Dir, err = os.MkdirTemp("", "quorate-rolling-"); err != nil {
				return err
			}
			defer os.RemoveAll(o.Dir)
			o.Report = func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) }
			r, err := rolling.Run(c.Context(), o)
			if err != nil {
				return err
			}
			f := adminFlags{output: output}
			return f.print(c.OutOrStdout(), r, func(w io.Writer) { writeRolling(w, r) })
		},
	}
	c.Flags().IntVar(&o.Port, "port", 7401, "client port of the first node")
	c.Flags().IntVar(&o.Rounds, "rounds", 2, "how often every node is restarted")
	c.Flags().DurationVar(&o.Between, "between", 3*time.Second, "load before the first restart and after each")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

func writeRolling(w io.Writer, r rolling.Result) {
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
