//go:build !linux

package heap

import "errors"

func newHeap() (mapped, error) { return nil, errors.ErrUnsupported }
