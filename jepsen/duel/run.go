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
	// Duration is that of a history, Histories how many there shall be of each row, with the seeds from 1 on. Most is how many of those
	// that are missing are run now; 0 is all.
	Duration  time.Duration
	Histories int
	Most      int
	// Done is told of every history that was run.
	Done func(folder string, v trial.Verdict)
}

// Run runs the histories that are missing, seed by seed, and returns the account of all.
func Run(ctx context.Context, o Options) (Table, error) {
	run := 0
	for seed := uint64(1); seed <= uint64(o.Histories); seed++ {
		for _, c := range cells(seed) {
			_, err := verdict(filepath.Join(o.Dir, c.folder()))
			if err == nil || o.Most > 0 && run == o.Most {
				continue
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return Table{}, err
			}
			run++
			if err := o.one(ctx, c); err != nil {
				return Table{}, err
			}
		}
	}
	return Load(o.Dir, o.Histories)
}

// one runs a history and keeps its verdict.
func (o Options) one(ctx context.Context, c cell) error {
	dir := filepath.Join(o.Dir, c.folder())
	// What a run that was broken off has left.
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	v, err := trial.Run(ctx, trial.Options{Config: c.config(o.Duration), Binary: o.Binary, Dir: dir, Port: o.Port, Subnet: o.Subnet, CheckTimeout: o.CheckTimeout})
	if err != nil {
		return err
	}
	if o.Done != nil {
		o.Done(c.folder(), v)
	}
	return trial.Prune(dir)
}

func verdict(dir string) (v trial.Verdict, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "verdict.json"))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	return v, err
}
