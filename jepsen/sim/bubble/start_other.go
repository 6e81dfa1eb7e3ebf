//go:build !linux || !(amd64 || arm64)

package bubble

import (
	"errors"
	"os/exec"
)

// Start is for Linux on amd64 and arm64 only.
func Start(*exec.Cmd, uint64) error {
	return errors.New("bubble: the runtime can be seeded on Linux on amd64 and arm64 only")
}

func onAllProcessors() {}

func onFirstThread() bool { return false }
