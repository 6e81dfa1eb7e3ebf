//go:build !linux

package load

import "context"

// openLoop needs epoll; elsewhere each worker keeps its own time.
func (s *shared) openLoop(context.Context, []*worker) (bool, error) { return false, nil }
