package counter

import (
	"context"
	"slices"
	"testing"
)

func TestAFailedFinalReadDoesNotForgetWhatClientsSaw(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &Workload{opts: Options{Seeds: []string{"127.0.0.1:1"}}, counters: []*Counter{{Key: "k"}}}
	w.violate("a stale read")
	got, err := w.Check(ctx)
	if err == nil || !slices.Equal(got, []string{"a stale read"}) {
		t.Errorf("got %q, %v; want the stale read, and an error", got, err)
	}
	if got := w.Violations(); !slices.Equal(got, []string{"a stale read"}) {
		t.Errorf("without a check: %q", got)
	}
}
