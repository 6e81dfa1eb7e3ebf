package rolling

import (
	"context"
	"testing"
	"time"

	"github.com/quorate/quorate/jepsen/process"
)

// TestRestartsFailNoCommand is the short form of `quorate bench rolling`: it asserts what failed, never how long it took.
func TestRestartsFailNoCommand(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary, err := process.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(ctx, Options{
		Binary: binary, Dir: t.TempDir(), Port: 13401, Rounds: 1, Between: time.Second, Report: t.Logf,
		// A planned restart needs no election. On a machine that is busy with other tests there must be none either.
		Flags: []string{"--election-timeout", "5s", "--lease", "4s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		t.Logf("%s: %d commands, %d errors, longest pause %v", row.Client, row.Commands, row.Errors, row.Longest.Round(time.Millisecond))
		if row.Commands == 0 || row.Errors > 0 {
			t.Errorf("%s: %d of %d commands failed: %q", row.Client, row.Errors, row.Commands, row.Examples)
		}
	}
	for _, v := range r.Violations {
		t.Error(v)
	}
}
