// Package disk is what the log asks of a file system, and the real one. Package crashdisk has one that forgets.
package disk

import "io"

// FS is one flat directory. Names have no slashes.
type FS interface {
	// Create makes (or replaces) a file of size zero bytes whose blocks are allocated and, unless the FS is for a log that is
	// synced now and then only, written, so that syncing bytes overwritten later changes no metadata. The zeros are durable
	// after Sync, the name after SyncDir. A file of size 0 grows as it is written. With pause, every MiB of zeros that is written
	// is brought to the disk by itself, and then pause called: whoever is in no hurry rests there, so that others find the disk
	// free. Its error ends the matter.
	Create(name string, size int64, pause func() error) (File, error)
	Open(name string) (File, error)
	// Rename replaces the file of the new name, if there is one.
	Rename(from, to string) error
	Remove(name string) error
	List() ([]string, error)
	// SyncDir makes every Create, Rename and Remove before it durable.
	SyncDir() error
}

// Fitting is an FS that knows better ways to write a log than any file's.
type Fitting interface {
	// Cached is for a log that is synced now and then only.
	Cached() FS
	// Durable is for a log that has every write on the disk before it goes on. Its files may be SyncWriters; cached hears, at most
	// twice, why they write by way of the page cache instead.
	Durable(cached func(why error)) FS
}

// File has the size that it was created with, unless that was 0. ReadAt and WriteAt may run beside each other and beside Sync.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Sync makes every WriteAt that returned before it durable. After an error nothing is known about them.
	Sync() error
}

// SyncWriter is a File that can bring bytes to the disk in one step.
type SyncWriter interface {
	// WriteSync returns when b is on the disk, as after WriteAt and Sync. It is for files that are written front to back, by one
	// goroutine at a time: what stood behind b, up to the next multiple of BlockBytes, may be zeros afterwards. After an error
	// nothing is known about what was written there before, either.
	WriteSync(b []byte, at int64) error
}

// BlockBytes is a multiple of what disks write at once.
const BlockBytes = 4096
