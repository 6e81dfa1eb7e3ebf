//go:build mutation

package mutants

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/check"
	"github.com/quorate/quorate/jepsen/sim"
	"github.com/quorate/quorate/jepsen/sim/oracle"
	"github.com/quorate/quorate/jepsen/trial"
)

// ground is where the lack of a guard is looked for.
type ground struct {
	// file is where the account of it is.
	file string
	// where is how it is narrowed; an account that was kept of other narrowings does not count.
	where json.RawMessage
	// try runs one history, without the guard or with it.
	try func(ctx context.Context, off string, seed uint64) (finding, error)
}

// finding is what a history showed; Checker is "" if it showed nothing.
type finding struct {
	Checker string
	Faults  []string
	Text    string
}

// simulated is the virtual cluster.
func (o Options) simulated(c Case) ground {
	return ground{file: c.Guard + ".json", where: text(c.Where), try: func(_ context.Context, off string, seed uint64) (f finding, err error) {
		options := c.Where
		options.Mutation = off
		r, err := o.Command.Simulate(sim.Job{Seed: seed, Options: options}, nil)
		f = finding{Faults: r.Plan.Families, Text: r.String()}
		i := slices.IndexFunc(r.Violations, func(v oracle.Violation) bool {
			// A search that does not end shows nothing.
			return !strings.Contains(v.Text, "did not end in") && (off == "" || c.Shows == "" || v.Checker == c.Shows)
		})
		if err == nil && i >= 0 {
			f.Checker = r.Violations[i].Checker
		}
		return f, err
	}}
}

// processes are clusters of real ones, whose folders stay if something was found.
func (o Options) processes(c Case) ground {
	if c.Real.Workload == "" {
		return ground{} // it is not looked for there
	}
	return ground{file: c.Guard + ".processes.json", where: text(c.Real), try: func(ctx context.Context, off string, seed uint64) (f finding, err error) {
		dir := filepath.Join(o.Dir, "processes", fmt.Sprintf("%s-%d", c.Guard, seed))
		t := trial.Options{Config: c.Real, Binary: o.Binary, Dir: dir, Port: o.Port, CheckTimeout: time.Minute}
		t.Seed = seed
		if off != "" {
			t.Flags = append(slices.Clone(t.Flags), "--mutation="+off)
		}
		if err := os.RemoveAll(dir); err != nil {
			return f, err
		}
		v, err := trial.Run(ctx, t)
		if err != nil {
			return f, err
		}
		if v.Word() != "VIOLATION" {
			text, _, _ := strings.Cut(v.String(), "\n")
			return finding{Text: text}, os.RemoveAll(dir)
		}
		i := slices.IndexFunc(v.Results, func(r check.Result) bool { return !r.OK })
		return finding{Checker: v.Results[i].Checker, Faults: v.Nemesis, Text: v.Results[i].Text}, trial.Prune(dir)
	}}
}

// text is v as JSON.
func text(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // options are plain values
	}
	return b
}
