package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/jepsen/sim"
	"github.com/quorate/quorate/jepsen/versus"
)

// simChild is the command, behind "jepsen", of the process that simulates one seed.
const simChild = "sim-child"

// simulateJob does the job on standard input and ends the process.
func simulateJob() {
	if err := sim.Child(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quorate:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// simFlags are the flags of jepsen sim.
type simFlags struct {
	seeds    string
	hours    float64
	replay   uint64
	verbose  bool
	families []string
	output   string
	summary  string
	write    string
	farm     sim.Farm
}

func jepsenSimCommand() *cobra.Command {
	var o simFlags
	c := &cobra.Command{
		Use:   "sim",
		Short: "Simulate whole clusters in virtual time, with faults that follow from seeds",
		Long: `Run clusters of the server's own code in virtual time, on a virtual network and virtual disks, hurt them as the seed says,
and check every replica's every step and what the clients saw. The same seed gives the same run again. On a violation the
seed is shown, with the smallest run found that shows it too and the command that prints its trace. Exit status 1: a violation.`,
		Example: "  quorate jepsen sim --seeds 1-1000 --hours 10\n  quorate jepsen sim --replay 17 --families crash,halves --safety 20s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			o.farm.Command = func() *exec.Cmd { return exec.Command(self, "jepsen", simChild) }
			if o.farm.Build, err = buildOf(self); err != nil {
				return err
			}
			if len(o.families) > 0 {
				o.farm.Options.Families = o.families
			}
			if len(o.families) == 1 && o.families[0] == "none" {
				o.farm.Options.Families = []string{}
			}
			if o.summary != "" {
				return o.summarize(c.OutOrStdout())
			}
			if c.Flags().Changed("replay") {
				return o.replayed(c.OutOrStdout())
			}
			return o.run(c)
		},
	}
	o.register(c)
	return c
}

// buildOf names an executable: by its version and, as that is the same for all that was not committed, by its contents.
func buildOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return fmt.Sprintf("%s sha256:%x", version(), h.Sum(nil)[:8]), nil
}

func (o *simFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.seeds, "seeds", "1-", "seeds to work through: 7, 1-1000, or 1- without an end")
	f.Float64Var(&o.hours, "hours", 0, "end after so many simulated hours; 0 does all seeds")
	f.IntVarP(&o.farm.Jobs, "jobs", "j", 1, "simulations at once, each on one processor")
	f.StringVar(&o.farm.Dir, "dir", "", "folder for runs.jsonl and the traces of violations; runs are appended")
	f.BoolVar(&o.farm.Stop, "stop", false, "end at the first violation")
	f.BoolVar(&o.farm.AsFound, "as-found", false, "do not look for smaller runs that show a violation")
	f.BoolVar(&o.farm.Twice, "twice", false, "run each seed again and compare")
	f.StringVar(&o.summary, "summary", "", "run nothing: add up the runs kept in this folder, as Markdown or JSON")
	f.StringVar(&o.write, "write", "", "with --summary: Markdown file whose section \"simulation\" becomes the sum")
	f.Uint64Var(&o.replay, "replay", 0, "run this seed only and print its trace")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "with --replay: print all messages and the nodes' logs too")
	f.StringVarP(&o.output, "output", "o", "text", "text or json")
	f.StringSliceVar(&o.families, "families", nil, "kinds of faults, comma-separated, or none (default: as the seed says; quorate jepsen list)")
	f.StringVarP(&o.farm.Options.Workload, "workload", "w", "", "what clients do (default: as the seed says)")
	f.DurationVar(&o.farm.Options.Safety, "safety", 0, "virtual time with faults (default: as the seed says)")
	f.IntVarP(&o.farm.Options.Clients, "clients", "c", 0, "clients (default: as the seed says)")
	f.IntVar(&o.farm.Options.Groups, "groups", 0, "shard groups (default: as the seed says)")
	f.StringVar(&o.farm.Options.Shape, "shape", "", "proportions of the runs: "+shapeNames()+" (default: as the seed says)")
	mutationFlag(f, &o.farm.Options.Mutation)
}

func (o *simFlags) summarize(w io.Writer) error {
	s, err := sim.ReadSummary(o.summary)
	if err != nil {
		return err
	}
	switch {
	case o.write != "":
		return versus.WriteInto(o.write, "simulation", s.Markdown())
	case o.output == "json":
		return json.NewEncoder(w).Encode(s)
	}
	_, err = io.WriteString(w, s.Markdown())
	return err
}

func shapeNames() string {
	var names []string
	for _, s := range sim.Shapes() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

func (o *simFlags) replayed(w io.Writer) error {
	r, err := o.farm.Command.Simulate(sim.Job{Seed: o.replay, Options: o.farm.Options, Trace: true, Verbose: o.verbose}, w)
	if err != nil {
		return err
	}
	if o.output == "json" {
		err = json.NewEncoder(w).Encode(r)
	} else {
		fmt.Fprintf(w, "%s\ntrace %s\n", r, r.Trace)
		for _, v := range r.Violations {
			fmt.Fprintln(w, v)
		}
	}
	if err == nil && !r.OK() {
		return errSilent
	}
	return err
}

func (o *simFlags) run(c *cobra.Command) (err error) {
	if o.farm.First, o.farm.Last, err = parseSeeds(o.seeds); err != nil {
		return err
	}
	o.farm.Time = time.Duration(o.hours * float64(time.Hour))
	live := newLiveTable(c.ErrOrStderr())
	began := time.Now()
	o.farm.Progress = func(s sim.Summary, _ sim.Report) { live.show(simLines(s, time.Since(began))) }
	o.farm.Shrunk = func(r sim.Report, j sim.Job) {
		live.say(fmt.Sprintf("VIOLATION %s\n  smallest run that shows it: %s\n", r, j.Replay()))
	}
	s, err := o.farm.Run(c.Context())
	live.done()
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	if o.output == "json" {
		err = json.NewEncoder(w).Encode(s)
	} else {
		writeSimSummary(w, s, time.Since(began))
	}
	if err == nil && s.Violated > 0 {
		return errSilent
	}
	return err
}

// tidy rounds a time so that a short one does not become none.
func tidy(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Second)
}

func parseSeeds(s string) (first, last uint64, err error) {
	a, b, ranged := strings.Cut(s, "-")
	if first, err = strconv.ParseUint(a, 10, 64); err == nil {
		switch {
		case !ranged:
			last = first
		case b == "":
			last = math.MaxUint64 - 1
		default:
			last, err = strconv.ParseUint(b, 10, 64)
		}
	}
	if err != nil || last < first {
		return 0, 0, fmt.Errorf("seeds %q: want N, N-M or N-", s)
	}
	return first, last, nil
}

// simLines is the state of the work for the live table.
func simLines(s sim.Summary, took time.Duration) []string {
	lines := []string{
		fmt.Sprintf("simulated   %10.2f hours in %d runs, %.0f times as fast as time", s.Simulated.Hours(), s.Runs, s.Simulated.Seconds()/max(took.Seconds(), 1e-9)),
		fmt.Sprintf("operations  %10d: %d applied, %d failed, %d unknown", s.Ops.Total(), s.Ops.Applied, s.Ops.Failed, s.Ops.Unknown),
		fmt.Sprintf("leaders     %10d lost", s.Elections),
		fmt.Sprintf("processes   %10d restarted", s.Restarts),
		fmt.Sprintf("entries     %10d applied, %d states compared, %d messages", s.Entries, s.Compared, s.Messages),
	}
	if s.Repeated > 0 {
		lines = append(lines, fmt.Sprintf("repeated    %10d runs, %d did the same", s.Repeated, s.Same))
	}
	return append(lines, fmt.Sprintf("violations  %10d", s.Violated))
}

func writeSimSummary(w io.Writer, s sim.Summary, took time.Duration) {
	fmt.Fprintln(w, strings.Join(simLines(s, took), "\n"))
	fmt.Fprintf(w, "time        %10v on the wall, %v of processors\n", tidy(took), tidy(s.CPU))
	fmt.Fprintf(w, "memory      %10d MiB at most in one process\n", s.Memory>>20)
	if s.Lost > 0 {
		fmt.Fprintf(w, "lost        %10d entries with the power of a majority, as durability interval allows\n", s.Lost)
	}
	fmt.Fprintln(w)
	table(w, "FAULTS\tRUNS\tHOURS\tOPERATIONS\tLEADERS LOST\tDONE\tBIT\tVIOLATIONS", func(row func(string, ...any)) {
		for _, f := range s.Families {
			if f.Runs > 0 {
				row("%s\t%d\t%.2f\t%d\t%d\t%d\t%d\t%d", f.Name, f.Runs, f.Simulated.Hours(), f.Ops, f.Elections, f.Faults, f.Bit, f.Violated)
			}
		}
	})
}
