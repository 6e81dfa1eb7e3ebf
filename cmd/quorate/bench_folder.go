package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// finding is what a cluster did that none may: its logs are worth keeping even if somebody has ended the measurement.
type finding string

func (f finding) Error() string { return string(f) }

// inFolder lets measure start servers of this program in a folder of their own below parent, "" being the place for temporary ones. It
// stays if something went wrong, for the logs, unless that is only that somebody has ended the measurement.
func inFolder(ctx context.Context, parent, pattern string, measure func(binary, dir string) error) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, pattern)
	if err != nil {
		return err
	}
	err = measure(binary, dir)
	switch {
	case err == nil:
		return os.RemoveAll(dir)
	case os.Remove(dir) == nil:
		return err // it was empty: nothing had begun
	case ctx.Err() != nil && !errors.As(err, new(finding)):
		return errors.Join(fmt.Errorf("%w (interrupted: data and logs were removed)", err), os.RemoveAll(dir))
	}
	return fmt.Errorf("%w (data and logs stay in %s)", err, dir)
}

// processes is how many servers a cluster has that is hurt or restarted.
const processes = 3

// checkPort refuses a first port above which the n that servers need, and those 1000 and 10000 above, are not all ports.
func checkPort(first, n int) error {
	if last := 65_535 - 10_000 - n + 1; first < 1 || first > last {
		return fmt.Errorf("--port %d: want 1 to %d", first, last)
	}
	return nil
}
