package duel

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/jepsen/trial"
)

// Options of a duel.
type Options struct {
	// Dir holds the histories; those that are there are not run again.
	Dir string
	// Binary is the quorate executable. Port, Subnet and CheckTimeout are trial.Options'.
	Binary, Subnet string
	Port           int
	CheckTimeout   time.Duration
	// Duration is that of a history, Histories how many are run at most (0: all that are missing, below 0: none), Seeds how many there are of
	// each kind.
	Duration  time.Duration
	Histories int
	Seeds     uint64
	// Done is told of every history that was run.
	Done func(folder string, v trial.Verdict)
}

// Run runs the histories that are missing and returns the account of all.
func Run(ctx context.Context, o Options) (Table, error) {
	run := 0
	for seed := uint64(1); seed <= o.Seeds; seed++ {
		for _, c := range cells(seed) {
			dir := filepath.Join(o.Dir, c.folder())
			if _, err := verdict(dir); !errors.Is(err, fs.ErrNotExist) || o.Histories != 0 && run >= o.Histories {
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					return Table{}, err
				}
				continue
			}
			run++
			// What a run that was broken off has left.
			if err := os.RemoveAll(dir); err != nil {
				return Table{}, err
			}
			v, err := trial.Run(ctx, trial.Options{Config: c.config(o.Duration), Binary: o.Binary, Dir: dir, Port: o.Port, Subnet: o.Subnet, CheckTimeout: o.CheckTimeout})
			if err != nil {
				return Table{}, err
			}
			if o.Done != nil {
				o.Done(c.folder(), v)
			}
			if err := trial.Prune(dir); err != nil {
				return Table{}, err
			}
		}
	}
	return Load(o.Dir, o.Seeds)
}

func verdict(dir string) (v trial.Verdict, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "verdict.json"))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	return v, err
}
