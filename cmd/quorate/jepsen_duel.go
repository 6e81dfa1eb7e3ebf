package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/duel"
	"github.com/quorate/quorate/jepsen/trial"
	"github.com/quorate/quorate/jepsen/versus"
)

func jepsenDuelCommand() *cobra.Command {
	var o duel.Options
	var output, write string
	var summary bool
	c := &cobra.Command{
		Use:   "duel",
		Short: "Hurt Quorate and Redis Cluster in the same ways and count what each has lost",
		Long: `Run the same clients and the same faults against Quorate and against Redis Clusters of the redis-server in PATH, in network
namespaces (root, iproute2), and print what was acknowledged, what was lost and what the checkers said. The histories are in
the folder; called again with the same folder it runs those that are missing.`,
		Example: "  quorate jepsen duel --dir duel --write jepsen/README.md",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			o.Done = func(folder string, v trial.Verdict) {
				fmt.Fprintf(c.ErrOrStderr(), "%s: ok %v, %+v\n", folder, v.OK, v.Toll) // the account is the table
			}
			var t duel.Table
			if summary {
				t, err = duel.Load(o.Dir, o.Histories)
			} else {
				t, err = duel.Run(c.Context(), o)
			}
			if err != nil {
				return err
			}
			if write != "" {
				return versus.WriteInto(write, "redis", t.Markdown())
			}
			f := adminFlags{output: output}
			return f.print(c.OutOrStdout(), t, func(w io.Writer) { fmt.Fprint(w, t.Markdown()) })
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", "jepsen-duel", "folder of the histories")
	f.DurationVarP(&o.Duration, "duration", "d", time.Minute, "time of a history's workload")
	f.IntVar(&o.Histories, "histories", 3, "histories of each row: the table has their median and range")
	f.IntVar(&o.Most, "most", 0, "how many of those that are missing are run now; 0 is all")
	f.BoolVar(&summary, "summary", false, "run nothing: add up the histories in the folder")
	f.IntVar(&o.Port, "port", 19000, "port of every node")
	f.StringVar(&o.Subnet, "subnet", "10.96.71", "first three numbers of the addresses")
	f.DurationVar(&o.CheckTimeout, "check-timeout", time.Minute, "time for the search of each object; a search that does not end fails the history")
	f.StringVar(&write, "write", "", "Markdown file whose section \"redis\" becomes the table")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return c
}
