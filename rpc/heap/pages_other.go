//go:build !linux

package heap

import "errors"

type advisor struct{}

func (*advisor) advise(bool) error { return errors.ErrUnsupported }
