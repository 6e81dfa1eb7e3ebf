package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/history"
	"github.com/quorate/quorate/jepsen/journal"
	"github.com/quorate/quorate/jepsen/nemesis"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/workload"
)

// Config is what was run; it is all that is needed to run it again, but for the machine's timing.
type Config struct {
	Workload string        `json:"workload"`
	Nemesis  []string      `json:"nemesis"`
	Duration time.Duration `json:"duration_ns"`
	Seed     uint64        `json:"seed"`
	Nodes    int           `json:"nodes"`
	Clients  int           `json:"clients"`
	// Network runs every node in a network namespace of its own (root, iproute2), Disks gives each a file system of its own
	// (root, mkfs.ext4, loop devices).
	Network bool `json:"network"`
	Disks   bool `json:"disks"`
	// Think is a client's pause after each operation.
	Think time.Duration `json:"think_ns"`
	// Flags go to every server, after those of the workload.
	Flags []string `json:"flags,omitempty"`
	// Quiet and Hurt bound the pauses between faults and their lengths.
	Quiet [2]time.Duration `json:"quiet_ns"`
	Hurt  [2]time.Duration `json:"hurt_ns"`
	// Bound is how soon after each fault the cluster must be whole.
	Bound time.Duration `json:"bound_ns"`
	// System is what is hurt: "quorate" (or "") or "redis", a Redis Cluster whose masters have Replicas each and take a node for
	// dead after NodeTimeout.
	System      string        `json:"system,omitempty"`
	Replicas    int           `json:"replicas,omitempty"`
	NodeTimeout time.Duration `json:"node_timeout_ns,omitempty"`
	// Cluster are client addresses of a cluster that somebody else runs and that is not hurt; none makes a cluster of Nodes.
	Cluster []string `json:"cluster,omitempty"`
}

// DefaultBound is a limit that a cluster on a busy machine keeps. Recovery takes about a second where nothing else runs.
const DefaultBound = 30 * time.Second

// Options say where and how to run it.
type Options struct {
	Config
	// Binary is the quorate executable; Dir, which must not hold a run yet, takes the report.
	Binary, Dir string
	// Port is the first client port on loopback, and that of every node in namespaces.
	Port int
	// Subnet is the first three numbers of the addresses in namespaces, DefaultSubnet if empty.
	Subnet string
	// Password is that of Cluster.
	Password string
	// CheckTimeout bounds the search of one object.
	CheckTimeout time.Duration
	// Progress is called about five times a second.
	Progress func(Progress)
}

// Progress is the state of a run.
type Progress struct {
	Elapsed     time.Duration
	Ops         history.Counts
	Faults, Bit int
	Stage       string
}

// DefaultSubnet is used by one run at a time.
const DefaultSubnet = "10.96.7"

const (
	// commandTimeout is short, so that a client of a frozen node is back by the time that others have elected.
	commandTimeout = 2 * time.Second
	// looking is the time between two views of every node.
	looking = 500 * time.Millisecond
	// patience bounds the wait for a new cluster, and for replicas to agree at the end.
	patience = 90 * time.Second
)

// Run runs it and judges. An error means that the harness failed; violations are in the verdict.
func Run(ctx context.Context, o Options) (Verdict, error) {
	spec, faults, err := o.resolve()
	if err != nil {
		return Verdict{}, err
	}
	if err := o.prepare(); err != nil {
		return Verdict{}, err
	}
	if len(o.Cluster) > 0 {
		e, err := o.outside(ctx, spec)
		if err == nil {
			err = o.seal(e)
		}
		if err != nil {
			return Verdict{}, err
		}
		return Check(o.Dir, o.CheckTimeout)
	}
	c, err := o.start(ctx, spec, faults)
	if err != nil {
		return Verdict{}, err
	}
	defer c.Close()
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.WaitReady(ready); err != nil {
		return Verdict{}, err
	}
	e, err := o.record(ctx, c, spec, faults)
	if err == nil {
		err = o.keepLogs(c)
	}
	if err == nil {
		err = o.seal(e)
	}
	if err != nil {
		return Verdict{}, err
	}
	v, err := Check(o.Dir, o.CheckTimeout)
	if err == nil && v.OK {
		err = o.discard()
	}
	return v, err
}

func (o Options) resolve() (workload.Spec, []nemesis.Fault, error) {
	spec, known := workload.Named(o.Workload)
	if !known {
		return spec, nil, fmt.Errorf("no workload is called %q: see quorate jepsen list", o.Workload)
	}
	have := nemesis.Needs{Network: o.Network, Disks: o.Disks, Nodes: o.Nodes, Quorate: o.System != redis}
	faults, err := nemesis.Named(o.Nemesis, have)
	if err == nil && (o.Nodes < 1 || o.Clients < 1 || o.Duration <= 0 || o.Bound <= 0) {
		err = fmt.Errorf("%d nodes, %d clients, %s and a bound of %s can't be a run: each must be positive", o.Nodes, o.Clients, o.Duration, o.Bound)
	}
	if err == nil && needs(faults).Evicts && !spec.MayEvict() {
		err = fmt.Errorf("workload %s does not know of evictions, which %s makes", o.Workload, strings.Join(o.Nemesis, ","))
	}
	if err == nil && o.System != "" && o.System != quorate && o.System != redis {
		err = fmt.Errorf("no system is called %q: want %s or %s", o.System, quorate, redis)
	}
	if err == nil && o.System == redis && (len(spec.Flags) > 0 || o.Replicas < 1 || o.NodeTimeout <= 0) {
		err = fmt.Errorf("workload %s with %d replicas and a node timeout of %s can't be run on Redis", o.Workload, o.Replicas, o.NodeTimeout)
	}
	if err == nil {
		err = o.checkOutside(len(faults))
	}
	return spec, faults, err
}

// The systems that can be hurt.
const quorate, redis = "quorate", "redis"

func (o Options) prepare() error {
	if _, err := os.Stat(filepath.Join(o.Dir, fileConfig)); err == nil {
		return fmt.Errorf("%s holds a run already: choose another --dir", o.Dir)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	return writeJSON(filepath.Join(o.Dir, fileConfig), o.Config)
}

// Prune leaves of a run what tells of it: how it was run, its faults, and the verdict. It can't be judged again.
func Prune(dir string) error {
	entries, err := os.ReadDir(dir)
	errs := []error{err}
	for _, e := range entries {
		if !slices.Contains([]string{fileConfig, fileFaults, fileVerdict, fileText}, e.Name()) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// discard removes what only a violation needs: the nodes' data.
func (o Options) discard() error {
	var errs []error
	for i := range o.Nodes {
		data := filepath.Join(o.Dir, dirNodes, fmt.Sprintf("node%d", i+1))
		errs = append(errs, os.RemoveAll(data), os.RemoveAll(data+".img"))
	}
	return errors.Join(errs...)
}

// needs are those of all faults together.
func needs(faults []nemesis.Fault) (n nemesis.Needs) {
	for _, f := range faults {
		n = n.And(f.Needs)
	}
	return n
}

// shift spreads the nodes' clocks evenly over the largest shift that a fault asks for.
func shift(largest time.Duration, i, nodes int) time.Duration {
	if nodes < 2 {
		return 0
	}
	return largest*time.Duration(i)/time.Duration(nodes-1) - largest/2
}

// diskBytes is the size of a node's own file system: small enough to fill.
const diskBytes = 512 << 20

func (o Options) start(ctx context.Context, spec workload.Spec, faults []nemesis.Fault) (*process.Cluster, error) {
	need := needs(faults)
	po := process.Options{
		Binary: o.Binary, Dir: filepath.Join(o.Dir, dirNodes), Nodes: o.Nodes, Spares: need.Spares, Port: o.Port, Faults: need.Orders,
		Flags:     slices.Concat([]string{wholeLog}, spec.Flags, need.Flags, o.Flags),
		NodeFlags: func(i int) []string { return []string{"--test-clock-shift", shift(need.Shift, i, o.Nodes).String()} },
	}
	if o.System == redis {
		po.System, po.Flags, po.NodeFlags = process.Redis{Replicas: o.Replicas, NodeTimeout: o.NodeTimeout}, o.Flags, nil
	}
	if o.Disks {
		po.DiskBytes = diskBytes
	}
	if o.Network {
		subnet := o.Subnet
		if subnet == "" {
			subnet = DefaultSubnet
		}
		net, err := process.NewNetwork(networkName(subnet), subnet, o.Nodes+need.Spares)
		if err != nil {
			return nil, err
		}
		po.Net = net
	}
	return process.Start(ctx, po)
}

// networkName follows from the subnet, which no two runs may have at a time, so that what a killed run left is found and removed.
func networkName(subnet string) string {
	numbers := strings.Split(subnet, ".")
	if len(numbers) > 2 {
		numbers = numbers[len(numbers)-2:]
	}
	return "qj" + strings.Join(numbers, "")
}

// wholeLog keeps the log of a run whole: it tells what became of writes whose clients never heard. A fault or a workload that
// is about snapshots overrides it.
const wholeLog = "--snapshot-log-bytes=1gb"

// keepLogs ends the processes and takes down what is in their logs.
func (o Options) keepLogs(c *process.Cluster) error {
	c.Kill()
	defer c.Close()
	if !c.IsQuorate() {
		return nil
	}
	var dirs []string
	for _, n := range append(c.Nodes(), c.Spares()...) {
		dirs = append(dirs, n.Data())
	}
	j, err := journal.Read(dirs)
	if err != nil {
		return err
	}
	return j.Save(filepath.Join(o.Dir, fileJournal))
}
