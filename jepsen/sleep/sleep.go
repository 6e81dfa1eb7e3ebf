// Package sleep lets time pass, unless there is a reason to stop.
package sleep

import (
	"context"
	"time"
)

// For returns after d, or with ctx's error once that ends.
func For(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
