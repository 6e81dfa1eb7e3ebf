package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// disks are file systems of the nodes' own: ext4 in a file, mounted by the kernel's loop device. So a full or a stuck disk is
// one for all that a node writes. They need root.
type disks struct {
	dirs  []string
	stuck map[int]*freezer
}

// freezer is a process that keeps a file system frozen for as long as its standard input is open. Should this process die, it
// closes, and nothing hangs for ever.
type freezer struct {
	cmd *exec.Cmd
	in  io.Closer
}

// mount gives every node a disk of that many bytes.
func mountDisks(nodes []*Node, bytes int64) (*disks, error) {
	d := &disks{stuck: map[int]*freezer{}}
	for _, n := range nodes {
		image := n.Data() + ".img"
		if err := mount(image, n.Data(), bytes); err != nil {
			return nil, errors.Join(err, d.unmount())
		}
		d.dirs = append(d.dirs, n.Data())
	}
	return d, nil
}

func mount(image, dir string, bytes int64) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(bytes), f.Close(), os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	return run([]string{"mkfs.ext4 -q -F -m 0 " + image, "mount -o loop " + image + " " + dir})
}

func (d *disks) unmount() error {
	var errs []error
	for i, dir := range d.dirs {
		errs = append(errs, d.thaw(i), run([]string{"umount " + dir}))
	}
	d.dirs = nil
	return errors.Join(errs...)
}

// freeze lets every write and sync on node i's disk wait until thaw.
func (d *disks) freeze(i int) error {
	cmd := exec.Command("sh", "-c", `fsfreeze -f "$0" && echo frozen && read -r _; fsfreeze -u "$0"`, d.dirs[i])
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("freeze %s: %w", d.dirs[i], err)
	}
	d.stuck[i] = &freezer{cmd, in}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return errors.Join(fmt.Errorf("freeze %s: %q, %w", d.dirs[i], line, err), d.thaw(i))
	}
	return nil
}

func (d *disks) thaw(i int) error {
	f := d.stuck[i]
	if f == nil {
		return nil
	}
	delete(d.stuck, i)
	return errors.Join(f.in.Close(), f.cmd.Wait())
}

func (d *disks) filler(i int) string { return filepath.Join(d.dirs[i], "filler") }

// fill takes all free blocks of node i's disk.
func (d *disks) fill(i int) error {
	f, err := os.OpenFile(d.filler(i), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size, free := int64(0), d.free(i)
	for step := free; step >= 4096; {
		if err := reserve(f, size, step); errors.Is(err, syscall.ENOSPC) {
			step /= 2
			continue
		} else if err != nil {
			return errors.Join(fmt.Errorf("fill the disk of node %d: %w", i+1, err), f.Close())
		}
		size += step
	}
	return f.Close()
}

func (d *disks) drain(i int) error {
	err := os.Remove(d.filler(i))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// free is how many bytes node i's disk has left.
func (d *disks) free(i int) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(d.dirs[i], &s); err != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize)
}

// FreezeDisk lets every write of node i wait until ThawDisk; it needs Options.DiskBytes.
func (c *Cluster) FreezeDisk(i int) error { return c.disks.freeze(i) }

// ThawDisk ends FreezeDisk.
func (c *Cluster) ThawDisk(i int) error { return c.disks.thaw(i) }

// FillDisk takes all free blocks of node i's disk until DrainDisk; it needs Options.DiskBytes.
func (c *Cluster) FillDisk(i int) error { return c.disks.fill(i) }

// DrainDisk ends FillDisk.
func (c *Cluster) DrainDisk(i int) error { return c.disks.drain(i) }

// FreeDisk is how many bytes node i's disk has left.
func (c *Cluster) FreeDisk(i int) int64 { return c.disks.free(i) }
