package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/matrix"
	"github.com/quorate/quorate/jepsen/trial"
	"github.com/quorate/quorate/jepsen/versus"
)

func jepsenMatrixCommand() *cobra.Command {
	var o matrix.Options
	var output, write string
	var also []string
	c := &cobra.Command{
		Use:   "matrix",
		Short: "Run all workloads against all faults, many short histories, and keep the account",
		Long: `Run short histories one after the other, as "quorate jepsen run" does, round-robin over the families of faults: a family's seed says
which of its faults meets which workload. The account is in the folder, as matrix.json and matrix.md; called again with the same
folder it goes on where it was, and "--for 0s" only prints the tables. Of histories without a violation the verdict, the
faults and the seed are kept, of all others everything. Exit status 1: a violation, or a history that could not be run.`,
		Example: "  quorate jepsen matrix --for 2h --network --disks --jobs 2\n  quorate jepsen matrix --family partition --workload append --histories 20 --network",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Trial.Binary, err = os.Executable(); err != nil {
				return err
			}
			o.Version = version()
			if write != "" {
				if err := versus.CheckMarkers(write, "matrix"); err != nil {
					return err
				}
			}
			live := newLiveTable(c.ErrOrStderr())
			began := time.Now()
			if live.terminal {
				o.Progress = func(a matrix.Account, running []string) { live.show(matrixLines(a, running, time.Since(began))) }
			}
			o.Done = func(h matrix.History) { live.say(matrixLine(h) + "\n") }
			a, err := matrix.Run(c.Context(), o)
			live.done()
			for _, dir := range also {
				if err == nil {
					err = a.Include(dir)
				}
			}
			if err != nil {
				return err
			}
			if write != "" {
				if err := versus.WriteInto(write, "matrix", matrixTables(a, o)); err != nil {
					return err
				}
			}
			f := adminFlags{output: output}
			err = f.print(c.OutOrStdout(), a, func(w io.Writer) { writeMatrix(w, a, o.Dir) })
			if err == nil && a.Bad() {
				return errSilent
			}
			return err
		},
	}
	matrixFlags(c, &o)
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.Flags().StringSliceVar(&also, "also", nil, "folders of other matrices whose histories shall be in the tables, too (repeatable)")
	c.Flags().StringVar(&write, "write", "", "Markdown file whose text between <!-- matrix --> and <!-- /matrix --> becomes the tables")
	return c
}

func matrixFlags(c *cobra.Command, o *matrix.Options) {
	f, t := c.Flags(), &o.Trial
	f.StringVar(&o.Dir, "dir", "jepsen-matrix", "folder of the account and the histories")
	f.DurationVar(&o.For, "for", time.Hour, "time in which new histories are begun")
	f.IntVar(&o.Histories, "histories", 0, "how many at most; 0 is no limit")
	f.IntVarP(&o.Jobs, "jobs", "j", 1, "clusters at once")
	f.Uint64Var(&o.First, "seed", 1, "first seed; every family goes through the seeds from there")
	f.StringSliceVarP(&o.Workloads, "workload", "w", nil, "workloads, comma-separated (default: all of quorate jepsen list)")
	f.StringSliceVarP(&o.Families, "family", "f", nil, "families of faults, comma-separated (default: all of quorate jepsen list, none, composed)")
	f.BoolVar(&o.Keep, "keep", false, "keep all of every history")
	f.DurationVarP(&t.Duration, "duration", "d", 12*time.Second, "time of a history's workload")
	f.IntVarP(&t.Clients, "clients", "c", 12, "logical processes, each with one connection")
	f.DurationVar(&t.Think, "think", 5*time.Millisecond, "pause of a client after each operation")
	f.IntVar(&t.Port, "port", 17501, "first client port; jobs have a hundred each")
	f.BoolVar(&t.Network, "network", false, "with faults that need a network namespace per node (root, iproute2)")
	f.BoolVar(&t.Disks, "disks", false, "with faults that need a file system per node (root, mkfs.ext4, loop devices)")
	f.DurationVar(&t.Bound, "bound", trial.DefaultBound, "how soon after a fault the cluster must be whole")
	f.StringVar(&t.Subnet, "subnet", trial.DefaultSubnet, "first three numbers of the addresses with --network; jobs have the following ones")
	f.StringSliceVar(&t.Flags, "server-flag", nil, "flag for every server, such as --server-flag=--durability=interval (repeatable)")
	f.DurationVar(&t.CheckTimeout, "check-timeout", time.Minute, "time for the search of each object; a search that does not end fails the history")
	t.Quiet = [2]time.Duration{300 * time.Millisecond, 1500 * time.Millisecond}
	t.Hurt = [2]time.Duration{200 * time.Millisecond, 3 * time.Second}
}

// matrixTables are the tables, and what made them.
func matrixTables(a matrix.Account, o matrix.Options) string {
	return fmt.Sprintf("%s\nBy `quorate jepsen matrix`: histories of %v with %d clients, on %s, %s.\n",
		a.Markdown(), o.Trial.Duration, o.Trial.Clients, versus.ThisMachine(""), time.Now().Format(time.DateOnly))
}

// matrixLines are the live table.
func matrixLines(a matrix.Account, running []string, took time.Duration) []string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FAMILY\tHISTORIES\tOPERATIONS\tFAULTS\tBIT\tVOID\tERRORS\tVIOLATIONS")
	for _, r := range append(a.Families, a.Total) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", r.Name, r.Histories, r.Ops.Total(), r.Faults, r.Bit, r.Void, r.Errors, r.Violations)
	}
	w.Flush()
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for _, r := range running {
		lines = append(lines, "now  "+r)
	}
	return append(lines, fmt.Sprintf("time %v", took.Round(time.Second)))
}

// matrixLine is a history that has ended.
func matrixLine(h matrix.History) string {
	v := h.Verdict
	return fmt.Sprintf("%-9s  %s: %d operations, %d of %d faults bit, %v %s%s",
		h.Word(), h.Cell, v.Ops.Total(), v.Bit, v.Faults, h.Wall.Round(100*time.Millisecond), strings.Join(h.Findings(), "; "), h.Error)
}

func writeMatrix(w io.Writer, a matrix.Account, dir string) {
	fmt.Fprint(w, a.Markdown())
	for _, h := range a.Histories {
		if h.Word() != "ok" {
			fmt.Fprintf(w, "\n%s\n  report: %s\n", matrixLine(h), filepath.Join(dir, h.Folder))
		}
	}
}
