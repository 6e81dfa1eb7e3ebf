//go:build !linux

package wire

import (
	"errors"
	"io"
)

// Tun is only there on Linux.
func Tun(string) (io.ReadWriteCloser, error) {
	return nil, errors.New("a network in user space needs Linux")
}

// MTU is what the devices must be set to.
const MTU = mtu
