package testfaults

import (
	"fmt"
	"syscall"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

var (
	errSync = fmt.Errorf("ordered by a test: %w", syscall.EIO)
	errFull = fmt.Errorf("ordered by a test: %w", syscall.ENOSPC)
)

// Open opens a folder of the operating system that suffers the faults.
func (f *Faults) Open(dir string) (disk.FS, error) {
	d, err := disk.OpenDir(dir)
	if err != nil || f == nil {
		return d, err
	}
	return folder{d, d, f}, nil
}

// folder is a disk.FS under faults.
type folder struct {
	disk.FS
	fitting disk.Fitting
	faults  *Faults
}

// Cached implements disk.Fitting.
func (d folder) Cached() disk.FS { return folder{d.fitting.Cached(), d.fitting, d.faults} }

// Durable implements disk.Fitting.
func (d folder) Durable(cached func(why error)) disk.FS {
	return folder{d.fitting.Durable(cached), d.fitting, d.faults}
}

// Create implements disk.FS.
func (d folder) Create(name string, size int64, pause func() error) (disk.File, error) {
	if err := d.faults.write(); err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	f, err := d.FS.Create(name, size, pause)
	return wrap(f, d.faults), err
}

// Open implements disk.FS.
func (d folder) Open(name string) (disk.File, error) {
	f, err := d.FS.Open(name)
	return wrap(f, d.faults), err
}

// SyncDir implements disk.FS.
func (d folder) SyncDir() error {
	if err := d.faults.sync(); err != nil {
		return fmt.Errorf("sync the folder: %w", err)
	}
	return d.FS.SyncDir()
}

type file struct {
	disk.File
	faults *Faults
}

func wrap(f disk.File, faults *Faults) disk.File {
	if f == nil {
		return nil
	}
	if w, ok := f.(disk.SyncWriter); ok {
		return syncWriter{file{f, faults}, w}
	}
	return file{f, faults}
}

// syncWriter is a file that is one.
type syncWriter struct {
	file
	inner disk.SyncWriter
}

// WriteSync implements disk.SyncWriter.
func (f syncWriter) WriteSync(b []byte, at int64) error {
	if err := f.faults.write(); err != nil {
		return err
	}
	if err := f.inner.WriteSync(b, at); err != nil {
		return err
	}
	return f.faults.sync()
}

// WriteAt implements disk.File.
func (f file) WriteAt(p []byte, at int64) (int, error) {
	if err := f.faults.write(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, at)
}

// Sync implements disk.File.
func (f file) Sync() error {
	if err := f.faults.sync(); err != nil {
		return err
	}
	return f.File.Sync()
}
