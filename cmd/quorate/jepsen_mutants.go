//go:build mutation

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/mutants"
	"github.com/quorate/quorate/jepsen/versus"
)

// onlyWeakened is for flags that this build lacks, which has all.
const onlyWeakened = "see --help"

func init() { weakened = append(weakened, jepsenMutantsCommand) }

func jepsenMutantsCommand() *cobra.Command {
	var o mutants.Options
	var output, write string
	var processes bool
	c := &cobra.Command{
		Use:   "mutants",
		Short: "Switch guards off one by one and count the histories until the harness notices",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			o.Command = func() *exec.Cmd { return exec.Command(self, "jepsen", simChild) }
			if processes {
				o.Binary = self
			}
			o.Found = func(guard string, r mutants.Range, text string) {
				fmt.Fprintf(c.ErrOrStderr(), "without %s, from seed %d, after %d of %d: %s\n", guard, r.First, r.Histories, r.Tried, text)
			}
			t, err := mutants.Run(c.Context(), o)
			if err != nil {
				return err
			}
			if write != "" {
				return versus.WriteInto(write, "mutants", t.Markdown())
			}
			f := adminFlags{output: output}
			return f.print(c.OutOrStdout(), t, func(w io.Writer) { fmt.Fprint(w, t.Markdown()) })
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", "jepsen-mutants", "folder of the account; called again, the hunt goes on where it was")
	f.StringSliceVar(&o.Guards, "guards", nil, "guards to switch off (default: all)")
	f.IntVar(&o.Ranges, "ranges", 5, "independent ranges of seeds for each guard")
	f.IntVar(&o.Most, "most", 15, "histories of a range at most")
	f.IntVar(&o.Control, "control", 3, "histories of each kind with the guard on")
	f.BoolVar(&processes, "processes", false, "look for them in clusters of real processes, not in simulations; some of those need root (network namespaces)")
	f.IntVar(&o.Port, "port", 17501, "first client port of the processes")
	f.DurationVar(&o.For, "for", 0, "time in which new histories are begun; 0 is no limit")
	f.StringVar(&write, "write", "", "Markdown file whose section \"mutants\" becomes the table")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return c
}
