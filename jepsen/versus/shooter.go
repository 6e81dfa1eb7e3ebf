package versus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/client"
)

// snapshotPatience bounds one snapshot of one group.
const snapshotPatience = 5 * time.Minute

// shooter orders snapshots.
type shooter struct {
	admin *client.Admin

	mu      sync.Mutex
	taken   int
	longest client.Snapshot
}

// newShooter gives one that has ordered a snapshot of each group, which covers the log of the load: from here on there is none
// but those that it orders, until the log has grown by that much again. The caller closes its admin.
func newShooter(ctx context.Context, run *running) (*shooter, error) {
	admin, err := client.NewAdmin(ctx, run.addrs, client.Options{Timeout: snapshotPatience})
	if err != nil {
		return nil, err
	}
	s := &shooter{admin: admin}
	if err := s.round(ctx); err != nil {
		admin.Close()
		return nil, err
	}
	s.take()
	return s, nil
}

// shoot orders snapshots until ctx ends. Those that have begun by then are waited for.
func (s *shooter) shoot(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round orders one of each group, unless ctx ends before.
func (s *shooter) round(ctx context.Context) error {
	status, err := s.admin.Status(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	for _, g := range status.Groups {
		if ctx.Err() != nil {
			return nil
		}
		all, err := s.admin.Snapshot(context.WithoutCancel(ctx), g.ID)
		if err != nil {
			return fmt.Errorf("snapshot of group %d: %w", g.ID, err)
		}
		for _, one := range all {
			if one.Error != "" {
				return fmt.Errorf("snapshot of group %d on node %s: %s", g.ID, one.Node.Short(), one.Error)
			}
			s.note(one)
		}
	}
	return nil
}

func (s *shooter) note(one client.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
	if one.Micros > s.longest.Micros {
		s.longest = one
	}
}

func (s *shooter) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// take returns what was noted since the last call.
func (s *shooter) take() (taken int, bytes int64, seconds float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken, bytes, seconds = s.taken, s.longest.Bytes, float64(s.longest.Micros)/1e6
	s.taken, s.longest = 0, client.Snapshot{}
	return taken, bytes, seconds
}
