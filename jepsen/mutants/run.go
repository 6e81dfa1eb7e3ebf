//go:build mutation

package mutants

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/jepsen/sim"
)

// Options of a hunt.
type Options struct {
	Command sim.Command
	// Dir keeps what was found; what is there is not looked for again.
	Dir string
	// Guards are those to hunt for; nil is all.
	Guards []string
	// Ranges is how many independent ranges of seeds each guard is looked for in, Most the most histories of a range.
	Ranges, Most int
	// Control is how many histories are run with the guard on, where nothing may be found.
	Control int
	// For is for how long new histories are begun; 0 is no limit.
	For time.Duration
	// Found is told of every range, with the report of the violation.
	Found func(guard string, r Range, report sim.Report)
}

// Range is what came of one range of seeds.
type Range struct {
	First uint64 `json:"first"`
	// Histories is how many it took until one showed the bug, 0 if none of Tried did.
	Histories int    `json:"histories"`
	Tried     int    `json:"tried"`
	Checker   string `json:"checker,omitempty"`
	// Families are those of the history that showed it, Done says that the range has come to its end.
	Families []string      `json:"families,omitempty"`
	Wall     time.Duration `json:"wall_ns"`
	Done     bool          `json:"done"`
}

// record is all that is known of a guard.
type record struct {
	Guard string `json:"guard"`
	// Where is how the simulation was narrowed; what was found elsewhere does not count.
	Where  sim.Options `json:"where"`
	Ranges []Range     `json:"ranges"`
	// Control counts histories with the guard on, Alarms those in which something was found.
	Control int `json:"control"`
	Alarms  int `json:"alarms"`
}

// between is how far the ranges' first seeds are apart.
const between = 100_000

// Run goes on where the last call stopped.
func Run(ctx context.Context, o Options) (Table, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return Table{}, err
	}
	began := time.Now()
	more := func() bool { return ctx.Err() == nil && (o.For == 0 || time.Since(began) < o.For) }
	for i := range o.Ranges {
		for _, c := range Cases() {
			if !more() || o.Guards != nil && !slices.Contains(o.Guards, c.Guard) {
				continue
			}
			r, err := load(o.Dir, c)
			if err == nil && !r.hopeless() {
				err = o.hunt(c, &r, i, more)
			}
			if err == nil && i == 0 {
				err = o.calm(c, &r, more)
			}
			if err != nil {
				return Table{}, err
			}
		}
	}
	return Load(o.Dir)
}

// hopeless: nothing was found in a whole range, so no more of them are worth the time.
func (r record) hopeless() bool {
	return slices.ContainsFunc(r.Ranges, func(x Range) bool { return x.Done && x.Histories == 0 })
}

// hunt works through the i-th range of a guard.
func (o Options) hunt(c Case, r *record, i int, more func() bool) error {
	if i == len(r.Ranges) {
		r.Ranges = append(r.Ranges, Range{First: uint64(i)*between + 1})
	}
	x := &r.Ranges[i]
	for !x.Done && more() {
		began := time.Now()
		options := c.Where
		options.Mutation = c.Guard
		report, err := o.Command.Simulate(sim.Job{Seed: x.First + uint64(x.Tried), Options: options}, nil)
		if err != nil {
			return err
		}
		x.Tried++
		x.Wall += time.Since(began)
		if shows(report) {
			x.Histories, x.Checker, x.Families = x.Tried, report.Violations[0].Checker, report.Plan.Families
		}
		x.Done = x.Histories > 0 || x.Tried >= o.Most
		if x.Done && o.Found != nil {
			o.Found(c.Guard, *x, report)
		}
		if err := r.save(o.Dir); err != nil {
			return err
		}
	}
	return nil
}

// shows says that something was found. A search that does not end fails a history, and shows nothing.
func shows(r sim.Report) bool {
	return !r.OK() && !strings.Contains(r.Violations[0].Text, "did not end in")
}

// calm runs the same with the guard on.
func (o Options) calm(c Case, r *record, more func() bool) error {
	for r.Control < o.Control && more() {
		report, err := o.Command.Simulate(sim.Job{Seed: uint64(r.Control) + 1, Options: c.Where}, nil)
		if err != nil {
			return err
		}
		r.Control++
		if shows(report) {
			r.Alarms++
			if o.Found != nil {
				o.Found("none, where "+c.Guard+" is looked for", Range{First: uint64(r.Control), Histories: 1}, report)
			}
		}
		if err := r.save(o.Dir); err != nil {
			return err
		}
	}
	return nil
}

func path(dir, guard string) string { return filepath.Join(dir, guard+".json") }

func load(dir string, c Case) (r record, err error) {
	b, err := os.ReadFile(path(dir, c.Guard))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && !same(r.Where, c.Where) {
		return record{Guard: c.Guard, Where: c.Where}, nil
	}
	return r, err
}

func same(a, b sim.Options) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func (r record) save(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path(dir, r.Guard), append(b, '\n'), 0o644)
}
