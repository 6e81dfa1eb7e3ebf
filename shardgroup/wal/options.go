package wal

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// Durability says when StoreLogs returns.
type Durability uint8

const (
	// Always returns when the entries are on the disk (fdatasync).
	Always Durability = iota
	// Interval returns when the kernel has the entries: they survive the process, but a power cut may take those of
	// the last Options.SyncEvery. Removing a conflicting suffix and removing a group are synced even so.
	Interval
)

// String is the word the configuration uses.
func (d Durability) String() string {
	if d == Interval {
		return "interval"
	}
	return "always"
}

// ParseDurability reads what String writes.
func ParseDurability(s string) (Durability, error) {
	for _, d := range []Durability{Always, Interval} {
		if s == d.String() {
			return d, nil
		}
	}
	return 0, fmt.Errorf("durability %q: want always or interval", s)
}

// Options of a Log. The zero value of each field but Fatal means its default.
type Options struct {
	Durability   Durability
	SyncEvery    time.Duration // Interval: time between syncs; Always: idle time until the end of the log is sealed. Default 1 s.
	SegmentBytes int64         // size of a segment file, 64 KiB to 1 GiB. Default 64 MiB.
	TailBytes    int64         // memory for recent entries of all groups together (each group's last entry comes on top). Default 16 MiB.
	StallTimeout time.Duration // a write or sync that takes longer is fatal. Default 10 s.

	// Fatal is called at most once, with the first write or sync that failed or stalled; from then on every operation
	// fails. It should end the process: what the kernel kept of a failed sync is unknown, so it is never tried again.
	Fatal func(error)
	// Observe, if set, is told of every group commit, by the goroutine that made it. It must be quick.
	Observe func(Commit)
	// Logger hears what an operator should know. Default slog.Default().
	Logger *slog.Logger
	// FS replaces the directory given to Open, for tests and simulations.
	FS disk.FS
}

// Commit describes one group commit.
type Commit struct {
	Stores  int // StoreLogs, DeleteRange and RemoveGroup calls that shared it
	Entries int
	Bytes   int
	Write   time.Duration // 0 if it was written and synced in one step
	Sync    time.Duration // 0 in Interval
}

// Stats are a Log's counters since Open, and its present size.
type Stats struct {
	Segments     int    // files, the spare ones too
	DiskBytes    int64  // of those files
	LiveBytes    int64  // of entries that no group has deleted
	TailBytes    int64  // of entries held in memory
	Groups       int    // groups that hold entries
	Commits      uint64 // writes, each of one or many stores
	Syncs        uint64
	Stores       uint64
	Entries      uint64
	WrittenBytes uint64
	Relocated    uint64 // entries copied forward so that an old segment could go
}

const (
	minSegmentBytes = 64 << 10
	maxSegmentBytes = 1 << 30
)

func (o Options) withDefaults() (Options, error) {
	if o.Fatal == nil {
		return o, errors.New("wal: Options.Fatal is not set: a failed write must be able to end the process")
	}
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.SyncEvery = orDefault(o.SyncEvery, time.Second)
	o.SegmentBytes = orDefault(o.SegmentBytes, 64<<20)
	o.TailBytes = orDefault(o.TailBytes, 16<<20)
	o.StallTimeout = orDefault(o.StallTimeout, 10*time.Second)
	switch {
	case o.Durability > Interval:
		return o, fmt.Errorf("wal: unknown durability %d", o.Durability)
	case o.SegmentBytes < minSegmentBytes || o.SegmentBytes > maxSegmentBytes:
		return o, fmt.Errorf("wal: segment size %d: want %d to %d bytes", o.SegmentBytes, minSegmentBytes, maxSegmentBytes)
	case o.SyncEvery < 0 || o.TailBytes < 0 || o.StallTimeout < 0:
		return o, fmt.Errorf("wal: negative option: sync every %v, tail %d bytes, stall timeout %v", o.SyncEvery, o.TailBytes, o.StallTimeout)
	}
	return o, nil
}

func orDefault[T int64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
