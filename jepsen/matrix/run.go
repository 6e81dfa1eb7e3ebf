package matrix

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/jepsen/trial"
)

// Options of a matrix.
type Options struct {
	// Dir takes a folder per history and the account. What is there already is not run again.
	Dir string
	// Trial is what all histories have in common; the matrix sets workload, faults, seed, nodes, folder and addresses.
	Trial trial.Options
	// Version names the build under test.
	Version string
	// Families and Workloads are the rows and columns to run, none are all.
	Families, Workloads []string
	// First is the first seed. Every family has its own histories of the same seeds.
	First uint64
	// Jobs is how many clusters are hurt at once.
	Jobs int
	// For is how long new histories are begun, Histories how many at most; 0 is no limit for the latter.
	For       time.Duration
	Histories int
	// Keep keeps all of a history without a violation. Otherwise its verdict, its faults and its seed stay.
	Keep bool
	// Progress is called with the account and the running histories about five times a second, Done with each history that has
	// ended. There is one call at a time.
	Progress func(Account, []string)
	Done     func(History)
}

// Run runs histories and returns the account of all in the folder. An error means that the harness failed.
func Run(ctx context.Context, o Options) (Account, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return Account{}, err
	}
	m := &run{Options: o, ends: time.Now().Add(o.For), running: make([]string, o.Jobs)}
	if err := m.plan(); err != nil {
		return Account{}, err
	}
	var err error
	if m.account, err = Load(o.Dir); err != nil {
		return Account{}, err
	}
	var jobs sync.WaitGroup
	for i := range o.Jobs {
		jobs.Go(func() { m.job(ctx, i) })
	}
	jobs.Wait()
	if err := errors.Join(m.failed, m.account.save(o.Dir)); err != nil {
		return m.account, err
	}
	return m.account, nil
}

// run is a matrix under way.
type run struct {
	Options
	ends      time.Time
	families  []family
	workloads []string

	mu      sync.Mutex
	account Account
	begun   int
	next    uint64 // counts cells from the first: seed by seed, and within a seed family by family
	failed  error
	running []string
}

func (m *run) plan() (err error) {
	if m.Jobs < 1 {
		return fmt.Errorf("%d jobs can't do anything", m.Jobs)
	}
	all := families(m.Trial.Network, m.Trial.Disks)
	var names []string
	for _, f := range all {
		names = append(names, f.name)
	}
	if names, err = chosen("family", names, m.Families); err != nil {
		return err
	}
	m.families = slices.DeleteFunc(all, func(f family) bool { return !slices.Contains(names, f.name) })
	if m.workloads, err = chosen("workload", workloads(), m.Workloads); err != nil {
		return err
	}
	for _, f := range m.families {
		if len(f.fitting(m.workloads)) == 0 {
			return fmt.Errorf("family %s evicts, of which none of these workloads knows: %s", f.name, strings.Join(m.workloads, ", "))
		}
	}
	return nil
}

// take gives out the next cell that has not been run; ok is false when there shall be no more.
func (m *run) take(ctx context.Context) (c Cell, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		if ctx.Err() != nil || m.failed != nil || !time.Now().Before(m.ends) || m.Histories > 0 && m.begun == m.Histories {
			return c, false
		}
		n := uint64(len(m.families))
		i := int(m.next % n)
		c = m.families[i].at(m.First+m.next/n, i, m.workloads)
		m.next++
		if !m.account.has(c) {
			m.begun++
			return c, true
		}
	}
}

func (m *run) job(ctx context.Context, lane int) {
	for {
		c, ok := m.take(ctx)
		if !ok {
			return
		}
		h, err := m.history(ctx, c, lane)
		if ctx.Err() != nil {
			return // what was interrupted has not been
		}
		m.mu.Lock()
		m.running[lane] = ""
		if err == nil {
			m.account.add(h)
			err = m.account.save(m.Dir)
			if m.Done != nil {
				m.Done(h)
			}
		}
		m.failed = errors.Join(m.failed, err)
		m.show()
		m.mu.Unlock()
	}
}

// show reports. mu is held.
func (m *run) show() {
	if m.Progress != nil {
		m.Progress(m.account, slices.DeleteFunc(slices.Clone(m.running), func(s string) bool { return s == "" }))
	}
}

// history runs a cell and notes what became of it. That the harness failed at it is noted, too.
func (m *run) history(ctx context.Context, c Cell, lane int) (h History, err error) {
	began := time.Now()
	o := m.Trial
	o.Workload, o.Nemesis, o.Seed = c.Workload, []string{c.Nemesis}, c.Seed
	need := needs(c.Nemesis)
	o.Nodes = max(cmp.Or(c.Nodes, nodes), need.Nodes)
	o.Flags = slices.Concat(o.Flags, c.flags())
	if c.Nemesis != "mix" {
		o.Network, o.Disks = need.Network, need.Disks
	}
	o.Port += 100 * lane
	o.Subnet = subnet(o.Subnet, lane)
	o.Dir = filepath.Join(m.Dir, c.folder())
	// Without its note, a folder is that of a history that was interrupted.
	if err := os.RemoveAll(o.Dir); err != nil {
		return h, err
	}
	o.Progress = func(p trial.Progress) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.running[lane] = fmt.Sprintf("%s: %s, %d ops, %d faults, %s", c, p.Elapsed.Round(time.Second), p.Ops.Total(), p.Faults, p.Stage)
		m.show()
	}
	h = History{Cell: c, Folder: c.folder(), Version: m.Version, Again: o.Command()}
	h.Verdict, err = trial.Run(ctx, o)
	if err != nil {
		h.Error = err.Error()
	}
	h.Wall = time.Since(began)
	if h.Verdict.OK && !m.Keep {
		if err := trial.Prune(o.Dir); err != nil {
			return h, err
		}
	}
	return h, h.note(m.Dir)
}

// subnet gives every lane its own: "10.96.7" and, for lane 1, "10.96.8".
func subnet(first string, lane int) string {
	if first == "" {
		first = trial.DefaultSubnet
	}
	var a, b, c int
	if n, _ := fmt.Sscanf(first, "%d.%d.%d", &a, &b, &c); n < 3 {
		return first // the network says what is wrong with it
	}
	return fmt.Sprintf("%d.%d.%d", a, b, c+lane)
}

// note makes the history part of the account.
func (h History) note(dir string) error {
	b, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, h.Folder)
	return errors.Join(os.MkdirAll(folder, 0o755), replace(filepath.Join(folder, fileNote), append(b, '\n')))
}

// replace writes a file whole or not at all. Two matrices may share a folder, each with its own families.
func replace(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
