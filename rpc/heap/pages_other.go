//go:build !linux

package heap

import "errors"

func newHeap() (memory, error) { return nil, errors.ErrUnsupported }
