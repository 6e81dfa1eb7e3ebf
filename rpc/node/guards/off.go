//go:build !mutation

package guards

import (
	"errors"

	"github.com/quorate/quorate/rpc/node"
)

// Names are those that can be switched off: none in this build.
func Names() []string { return nil }

// Weaken refuses any guard's name.
func Weaken(names string, _ *node.Host) error {
	if names == "" {
		return nil
	}
	return errors.New("guards can be switched off only in builds with the tag mutation")
}
