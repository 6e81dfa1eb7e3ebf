package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/jepsen/sim"
	"github.com/quorate/quorate/jepsen/trial"
)

// weakened are the commands that only builds with the tag "mutation" have, or what others say in their stead.
var weakened []func() *cobra.Command

func jepsenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "jepsen",
		GroupID: "measure",
		Short:   "Break a cluster of processes and check what clients saw",
	}
	group(c)
	c.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return notNegative(c.Flags()) }
	c.AddCommand(jepsenRunCommand(), jepsenMatrixCommand(), jepsenCheckCommand(), jepsenListCommand(), jepsenSimCommand(), jepsenDuelCommand())
	for _, command := range weakened {
		c.AddCommand(command())
	}
	return c
}

// notNegative refuses times and numbers below 0: nothing that these commands are told can be.
func notNegative(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		switch f.Value.Type() {
		case "duration", "int", "float64":
			if value := f.Value.String(); strings.HasPrefix(value, "-") && err == nil {
				err = fmt.Errorf("--%s %s: it must not be negative", f.Name, value)
			}
		}
	})
	return err
}

// jepsenVerdict are the flags of the commands that judge.
type jepsenVerdict struct {
	timeout time.Duration
	output  string
}

func (j *jepsenVerdict) register(c *cobra.Command) {
	c.Flags().DurationVar(&j.timeout, "check-timeout", time.Minute, "time for the search of each object; a search that does not end fails the run")
	c.Flags().StringVarP(&j.output, "output", "o", "text", "text or json")
}

// print shows the verdict and ends the process with status 1 if there is a violation.
func (j *jepsenVerdict) print(w io.Writer, v trial.Verdict, dir string) error {
	f := adminFlags{output: j.output}
	err := f.print(w, v, func(w io.Writer) { fmt.Fprintf(w, "%s\nreport: %s\n", v, dir) })
	if err == nil && !v.OK {
		return errSilent
	}
	return err
}

func jepsenRunCommand() *cobra.Command {
	var o trial.Options
	var j jepsenVerdict
	var quiet, hurt []time.Duration
	c := &cobra.Command{
		Use:   "run",
		Short: "Run a workload while a cluster of server processes is being hurt, then judge",
		Long: `Start server processes of this executable on this machine, let clients that never retry work on them and record every
operation, hurt the processes or their network at times drawn from the seed, heal them, read everything again and judge. The
report folder holds all that "quorate jepsen check" needs to judge again. Exit status 1: a violation, or nothing was tested.

With --cluster the clients work on a cluster that you run, Quorate or any other that speaks the Redis Cluster protocol. Nothing is
started and nothing is hurt (do that yourself meanwhile), and what clients saw is all that is judged. The keys are new ones whose
names begin with {jepsen-; they stay.`,
		Example: "  quorate jepsen run --workload append --nemesis kill,pause --duration 1m\n  quorate jepsen run --workload register --nemesis all --network --seed 7\n" +
			"  quorate jepsen run --cluster cache1:6379,cache2:6379 --workload append --duration 10m",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Binary, err = os.Executable(); err != nil {
				return err
			}
			if o.Quiet, err = bounds("quiet", quiet); err != nil {
				return err
			}
			if o.Hurt, err = bounds("hurt", hurt); err != nil {
				return err
			}
			if len(o.Cluster) > 0 && !c.Flags().Changed("nemesis") {
				o.Nemesis = []string{"none"}
			}
			if o.Dir == "" {
				o.Dir = filepath.Join("jepsen-runs", fmt.Sprintf("%s-%s-%d-%s", o.Workload, strings.Join(o.Nemesis, "+"), o.Seed, time.Now().Format("20060102-150405")))
			}
			o.CheckTimeout = j.timeout
			live := newLiveTable(c.ErrOrStderr())
			o.Progress = func(p trial.Progress) { live.show(jepsenLines(p, o.Duration)) }
			v, err := trial.Run(c.Context(), o)
			live.done()
			if err != nil {
				return err
			}
			return j.print(c.OutOrStdout(), v, o.Dir)
		},
	}
	j.register(c)
	runFlags(c, &o)
	f := c.Flags()
	f.DurationSliceVar(&quiet, "quiet", []time.Duration{500 * time.Millisecond, 3 * time.Second}, "least and most time between two faults")
	f.DurationSliceVar(&hurt, "hurt", []time.Duration{200 * time.Millisecond, 4 * time.Second}, "least and most time that a fault lasts")
	return c
}

func runFlags(c *cobra.Command, o *trial.Options) {
	f := c.Flags()
	f.StringVarP(&o.Workload, "workload", "w", "register", "what clients do (quorate jepsen list)")
	f.StringSliceVarP(&o.Nemesis, "nemesis", "n", []string{"kill"}, "faults, comma-separated, one at a time at random; none, or all")
	f.DurationVarP(&o.Duration, "duration", "d", 30*time.Second, "time of the workload")
	f.Uint64Var(&o.Seed, "seed", 1, "choices of clients and faults; the machine's timing stays its own")
	f.StringVar(&o.Dir, "dir", "", "report folder (default: a new one under jepsen-runs)")
	f.IntVar(&o.Nodes, "nodes", 3, "server processes")
	f.IntVarP(&o.Clients, "clients", "c", 12, "logical processes, each with one connection")
	f.IntVar(&o.Port, "port", 17501, "first client port")
	f.BoolVar(&o.Network, "network", false, "a network namespace per node, for partitions and bad links (root, iproute2)")
	f.BoolVar(&o.Disks, "disks", false, "a file system per node, for full and stuck disks (root, mkfs.ext4, loop devices)")
	f.DurationVar(&o.Bound, "bound", trial.DefaultBound, "how soon after a fault the cluster must be whole")
	f.StringVar(&o.Subnet, "subnet", trial.DefaultSubnet, "first three numbers of the addresses with --network")
	f.DurationVar(&o.Think, "think", 2*time.Millisecond, "pause of a client after each operation")
	f.StringSliceVar(&o.Cluster, "cluster", nil, "client host:port of a cluster that you run: no server is started, nothing is hurt")
	passwordFlag(f, &o.Password, "password of --cluster (or QUORATE_PASSWORD)")
	f.StringSliceVar(&o.Flags, "server-flag", nil, "flag for every server, such as --server-flag=--durability=interval (repeatable)")
	f.StringVar(&o.System, "system", "quorate", "what is hurt: quorate, or redis (a Redis Cluster of the redis-server in PATH; --nodes is masters and replicas)")
	f.IntVar(&o.Replicas, "replicas", 2, "with --system redis: replicas of each master")
	f.DurationVar(&o.NodeTimeout, "node-timeout", 15*time.Second, "with --system redis: cluster-node-timeout, after which a silent node counts as dead")
}

// bounds reads a flag of two times.
func bounds(flag string, v []time.Duration) (out [2]time.Duration, err error) {
	if len(v) != 2 || v[0] < 0 || v[1] < v[0] {
		return out, fmt.Errorf("--%s %v: want the least and the most time, such as 1s,4s", flag, v)
	}
	return [2]time.Duration(v), nil
}

// jepsenLines are the state of a run.
func jepsenLines(p trial.Progress, all time.Duration) []string {
	return []string{fmt.Sprintf("%v of %v: %d ops (%d unknown), %d faults (%d bit), %s",
		p.Elapsed.Round(time.Second), all, p.Ops.Total(), p.Ops.Unknown, p.Faults, p.Bit, p.Stage)}
}

func jepsenCheckCommand() *cobra.Command {
	var j jepsenVerdict
	c := &cobra.Command{
		Use:   "check DIR",
		Short: "Judge a stored run again",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := trial.Check(args[0], j.timeout)
			if err != nil {
				return err
			}
			return j.print(c.OutOrStdout(), v, args[0])
		},
	}
	j.register(c)
	return c
}

func jepsenListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List workloads, faults, and the simulation's families of faults",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w := c.OutOrStdout()
			table(w, "WORKLOAD\tWHAT CLIENTS DO", func(row func(string, ...any)) {
				for _, x := range trial.Workloads() {
					row("%s\t%s", x[0], x[1])
				}
			})
			fmt.Fprintln(w)
			table(w, "NEMESIS\tWHAT IS DONE TO THE CLUSTER", func(row func(string, ...any)) {
				for _, x := range trial.Faults() {
					row("%s\t%s", x[0], x[1])
				}
			})
			fmt.Fprintln(w)
			table(w, "FAMILY OF jepsen sim\tWHAT IS DONE TO THE CLUSTER", func(row func(string, ...any)) {
				for _, f := range sim.Families() {
					row("%s\t%s", f.Name, f.About)
				}
			})
			return nil
		},
	}
}
