//go:build mutation

package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/quorate/quorate/jepsen/sim"
)

// Options of a hunt.
type Options struct {
	Command sim.Command
	// Binary is the executable of the real processes, none to simulate only; Port is their first client port.
	Binary string
	Port   int
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
	// Found is told of every range, with what the history showed that ended it.
	Found func(guard string, r Range, text string)
}

// Range is what came of one range of seeds.
type Range struct {
	First uint64 `json:"first"`
	// Histories is how many it took until one showed the bug, 0 if none of Tried did.
	Histories int    `json:"histories"`
	Tried     int    `json:"tried"`
	Checker   string `json:"checker,omitempty"`
	// Families are the faults of the history that showed it, Done says that the range has come to its end.
	Families []string      `json:"families,omitempty"`
	Wall     time.Duration `json:"wall_ns"`
	Done     bool          `json:"done"`
}

// record is all that is known of a guard.
type record struct {
	Guard string `json:"guard"`
	// Where is how the histories were narrowed; what was found elsewhere does not count.
	Where  json.RawMessage `json:"where"`
	Ranges []Range         `json:"ranges"`
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
	for _, g := range o.Guards {
		if !slices.ContainsFunc(Cases(), func(c Case) bool { return c.Guard == g }) {
			return Table{}, fmt.Errorf("no guard is called %q", g)
		}
	}
	began := time.Now()
	more := func() bool { return ctx.Err() == nil && (o.For == 0 || time.Since(began) < o.For) }
	for i := range o.Ranges {
		for _, c := range Cases() {
			if !more() || o.Guards != nil && !slices.Contains(o.Guards, c.Guard) {
				continue
			}
			if err := o.work(ctx, c, i, more); err != nil {
				return Table{}, err
			}
		}
	}
	return Load(o.Dir)
}

// work looks for the lack of one guard in the i-th ranges.
func (o Options) work(ctx context.Context, c Case, i int, more func() bool) error {
	g := o.simulated(c)
	if o.Binary != "" {
		g = o.processes(c)
	}
	if g.where == nil {
		return nil
	}
	r, err := g.load(o.Dir, c.Guard)
	if err == nil && !r.hopeless(o.Most) {
		err = o.hunt(ctx, g, &r, i, more)
	}
	if err == nil && i == 0 {
		err = o.calm(ctx, g, &r, more)
	}
	if ctx.Err() != nil {
		return nil // what was interrupted has not been
	}
	return err
}

// hopeless: nothing was found in a range of most histories, so no more of them are worth the time.
func (r record) hopeless(most int) bool {
	return slices.ContainsFunc(r.Ranges, func(x Range) bool { return x.Histories == 0 && x.Tried >= most })
}

// hunt works through the i-th range of a guard. One in which nothing was found goes on if it may have more histories now.
func (o Options) hunt(ctx context.Context, g ground, r *record, i int, more func() bool) error {
	if i == len(r.Ranges) {
		r.Ranges = append(r.Ranges, Range{First: uint64(i)*between + 1})
	}
	x := &r.Ranges[i]
	for x.Histories == 0 && x.Tried < o.Most && more() {
		began := time.Now()
		found, err := g.try(ctx, r.Guard, x.First+uint64(x.Tried))
		if err != nil {
			return err
		}
		x.Tried++
		x.Wall += time.Since(began)
		if found.Checker != "" {
			x.Histories, x.Checker, x.Families = x.Tried, found.Checker, found.Faults
		}
		x.Done = x.Histories > 0 || x.Tried >= o.Most
		if x.Done && o.Found != nil {
			o.Found(r.Guard, *x, found.Text)
		}
		if err := r.save(filepath.Join(o.Dir, g.file)); err != nil {
			return err
		}
	}
	return nil
}

// calm runs the same with the guard on.
func (o Options) calm(ctx context.Context, g ground, r *record, more func() bool) error {
	for r.Control < o.Control && more() {
		found, err := g.try(ctx, "", uint64(r.Control)+1)
		if err != nil {
			return err
		}
		r.Control++
		if found.Checker != "" {
			r.Alarms++
			if o.Found != nil {
				o.Found("none, where "+r.Guard+" is looked for", Range{First: uint64(r.Control), Histories: 1}, found.Text)
			}
		}
		if err := r.save(filepath.Join(o.Dir, g.file)); err != nil {
			return err
		}
	}
	return nil
}

// load takes the account of what was done so far.
func (g ground) load(dir, guard string) (r record, err error) {
	b, err := os.ReadFile(filepath.Join(dir, g.file))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	var kept bytes.Buffer
	if err == nil {
		err = json.Compact(&kept, r.Where)
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(kept.Bytes(), g.where) {
		return record{Guard: guard, Where: g.where}, nil
	}
	return r, err
}

func (r record) save(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
