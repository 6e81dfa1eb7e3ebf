package wire

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Tun makes a network device called name (at most 15 letters). What the kernel sends there is read, one IP packet at a time, what is
// written is received by the kernel. It goes away when it is closed, wherever it was moved to.
func Tun(name string) (io.ReadWriteCloser, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		_ = unix.Close(fd) // the error that led here is the one to report
		return nil, fmt.Errorf("make network device %s: %w", name, err)
	}
	// Only now: the runtime would not poll a device that is not set up.
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// MTU is what the devices must be set to.
const MTU = mtu
