package resp

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestShutdownEndsWhatAnOperatorWaitsFor: at its time limit, a stop does not wait for a QUORATE verb that takes minutes.
func TestShutdownEndsWhatAnOperatorWaitsFor(t *testing.T) {
	inAllWays(t, func(t *testing.T, way func(*Config)) {
		w := newWorld(t, 1, way)
		c := w.dial(t)
		c.send(array("QUORATE", "wait"))
		await(t, "the command", func() bool { return w.srv.stats.bytesIn.Load() > 0 })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- w.srv.Shutdown(ctx) }()
		select {
		case err := <-done:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want to hear of the connection that was closed", err)
			}
		case <-time.After(patience):
			t.Error("Shutdown waits for the operator's command")
			w.srv.cancel()
		}
	})
}
