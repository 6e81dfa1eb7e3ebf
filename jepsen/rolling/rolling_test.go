package rolling

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/quorate/quorate/client"
	"github.com/quorate/quorate/jepsen/process"
	"github.com/quorate/quorate/jepsen/sleep"
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

// TestARunThatEndsEarlyTellsWhatClientsSaw before: here the test itself loses their writes, and then somebody has had enough.
func TestARunThatEndsEarlyTellsWhatClientsSaw(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	binary, err := process.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const port = 13421
	r, err := Run(ctx, Options{
		Binary: binary, Dir: t.TempDir(), Port: port, Rounds: 9, Between: 500 * time.Millisecond,
		Report: func(string, ...any) {
			loseWrites(ctx, t, port)
			sleep.For(ctx, 500*time.Millisecond)
			cancel()
		},
	})
	if err == nil || r.Partial == "" || len(r.Violations) == 0 {
		t.Errorf("got %q, %d violations, %v; want a partial result with some", r.Partial, len(r.Violations), err)
	}
}

func loseWrites(ctx context.Context, t *testing.T, port int) {
	cl := client.NewCluster([]string{"127.0.0.1:" + strconv.Itoa(port)}, client.Options{})
	defer cl.Close()
	for i := range keys {
		key := "plain:" + strconv.Itoa(i)
		if _, err := cl.Do(ctx, key, "SET", key, "0"); err != nil {
			t.Error(err)
		}
	}
}
