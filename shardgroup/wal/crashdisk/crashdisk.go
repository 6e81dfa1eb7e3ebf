// Package crashdisk is a file system in memory that forgets what was not synced, for tests and simulations of power
// cuts, slow disks and failing ones.
package crashdisk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// sector is what a disk writes as a whole.
const sector = 512

// Op names an operation for a Hook.
type Op string

// The operations of disk.FS and disk.File that a Hook sees.
const (
	Create  Op = "create"
	Open    Op = "open"
	Rename  Op = "rename"
	Remove  Op = "remove"
	SyncDir Op = "sync directory"
	Read    Op = "read"
	Write   Op = "write"
	Sync    Op = "sync"
)

// Disk is one directory. The zero value is empty and has no faults.
type Disk struct {
	mu      sync.Mutex
	hook    func(op Op, name string) error
	changes int
	limited bool // left counts
	left    int
	dead    bool
	files   map[string]*inode // as the process sees it
	durable map[string]*inode
	journal []change // of the directory since the last SyncDir, in order
}

// change is one of the directory: a file made, renamed or, without to, removed.
type change struct {
	made     *inode
	from, to string
}

func (c change) apply(files map[string]*inode) {
	n := c.made
	if n == nil {
		n = files[c.from]
		delete(files, c.from)
	}
	if c.to != "" {
		files[c.to] = n
	}
}

// inode is a file's contents, whatever its name.
type inode struct {
	grows   bool
	data    []byte // as the process sees it
	durable []byte
	pending []*write // since the last Sync, in order
}

// room makes the file reach to end, if it grows.
func (n *inode) room(end int64) bool {
	if end > int64(len(n.data)) && n.grows {
		n.data = append(n.data, make([]byte, end-int64(len(n.data)))...)
	}
	return end <= int64(len(n.data))
}

// write is never changed.
type write struct {
	at     int64
	data   []byte
	direct bool // of a WriteSync that has not ended
}

// SetHook sets what is called before each operation, and during WriteSync (nil for nothing). If it returns an error, the operation fails with
// it; a write that so fails may all the same reach the disk. It may block: that is a slow disk. It must not call back.
func (d *Disk) SetHook(hook func(op Op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

// ErrPowerCut is what every operation fails with after CutPower's last one.
var ErrPowerCut = errors.New("the power is gone")

// errLast fails the operation during which the power goes.
var errLast = fmt.Errorf("during this: %w", ErrPowerCut)

// CutPower lets n more operations that change something through and fails those after. A write as the next one may
// still reach the disk in part. What the disk holds then, Crash tells.
func (d *Disk) CutPower(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limited, d.left = true, n
}

// Changes counts the operations so far that change something.
func (d *Disk) Changes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

func (d *Disk) before(op Op, name string) error {
	hook, err := d.enter(op)
	if err != nil || hook == nil {
		return err
	}
	return hook(op, name)
}

func (d *Disk) enter(op Op) (hook func(op Op, name string) error, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hook, d.spend(op)
}

// spend takes one operation off what CutPower allows.
func (d *Disk) spend(op Op) error {
	if d.dead {
		return ErrPowerCut
	}
	if op == Read || op == Open {
		return nil
	}
	d.changes++
	if !d.limited {
		return nil
	}
	if d.left--; d.left >= 0 {
		return nil
	}
	d.dead = true
	return errLast
}

// change applies a change of names now, and to the durable names when the directory is synced. d.mu is held.
func (d *Disk) change(c change) {
	if d.files == nil {
		d.files, d.durable = map[string]*inode{}, map[string]*inode{}
	}
	c.apply(d.files)
	d.journal = append(d.journal, c)
}

// Create implements disk.FS.
func (d *Disk) Create(name string, size int64, pause func() error) (disk.File, error) {
	if err := d.before(Create, name); err != nil {
		return nil, err
	}
	if pause != nil {
		if err := pause(); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &inode{data: make([]byte, size), grows: size == 0}
	d.change(change{made: n, to: name})
	return &file{d, n, name}, nil
}

// Open implements disk.FS.
func (d *Disk) Open(name string) (disk.File, error) {
	if err := d.before(Open, name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.files[name]
	if n == nil {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &file{d, n, name}, nil
}

// Rename implements disk.FS.
func (d *Disk) Rename(from, to string) error {
	if err := d.before(Rename, from); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[from] == nil {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	d.change(change{from: from, to: to})
	return nil
}

// Remove implements disk.FS.
func (d *Disk) Remove(name string) error {
	if err := d.before(Remove, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[name] == nil {
		return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
	}
	d.change(change{from: name})
	return nil
}

// List implements disk.FS.
func (d *Disk) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.files)), nil
}

// SyncDir implements disk.FS.
func (d *Disk) SyncDir() error {
	if err := d.before(SyncDir, "."); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.journal {
		c.apply(d.durable)
	}
	d.journal = nil
	return nil
}

// Crash gives the disk after a power cut: what was synced, the directory changes up to a random one (a journaling file
// system keeps their order) and a random part of the sectors written since their file's last sync. d stays as it is.
func (d *Disk) Crash(rng *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := maps.Clone(d.durable)
	for _, c := range d.journal[:rng.IntN(len(d.journal)+1)] {
		c.apply(names)
	}
	survive := []float64{0, 0.5, 0.9, 1}[rng.IntN(4)]
	after := &Disk{files: map[string]*inode{}, durable: map[string]*inode{}}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		data := names[name].crash(rng, survive)
		n := &inode{grows: names[name].grows, data: data, durable: slices.Clone(data)}
		after.files[name], after.durable[name] = n, n
	}
	return after
}

// Kill gives the disk after the process died and the machine did not: everything written is there, and what was not synced
// is not safe from the next power cut. Of the WriteSyncs under way, the kernel ends every other one.
func (d *Disk) Kill() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := &Disk{files: map[string]*inode{}, durable: map[string]*inode{}}
	copies := map[*inode]*inode{nil: nil}
	copyOf := func(n *inode) *inode {
		c, done := copies[n]
		if !done {
			c = &inode{grows: n.grows, data: slices.Clone(n.data), durable: slices.Clone(n.durable), pending: slices.Clone(n.pending)}
			c.endDirect(d.changes%2 == 0)
			copies[n] = c
		}
		return c
	}
	for name, n := range d.files {
		after.files[name] = copyOf(n)
	}
	for name, n := range d.durable {
		after.durable[name] = copyOf(n)
	}
	for _, c := range d.journal {
		c.made = copyOf(c.made)
		after.journal = append(after.journal, c)
	}
	return after
}

func (n *inode) crash(rng *rand.Rand, survive float64) []byte {
	data := slices.Clone(n.durable)
	if data == nil && survive > 0 {
		data = make([]byte, len(n.data)) // the file has its size, if not its bytes
	}
	for _, w := range n.pending {
		for b, at := w.data, w.at; len(b) > 0; {
			k := min(int64(len(b)), sector-at%sector)
			if rng.Float64() < survive && at+k <= int64(len(data)) {
				copy(data[at:], b[:k])
			}
			b, at = b[k:], at+k
		}
	}
	return data
}

// Flip inverts one bit of a file, on the disk and in what is read.
func (d *Disk) Flip(name string, at int64, bit uint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.files[name]
	n.data[at] ^= 1 << bit
	if at < int64(len(n.durable)) {
		n.durable[at] ^= 1 << bit
	}
}

type file struct {
	disk *Disk
	node *inode
	name string
}

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	if err := f.disk.before(Read, f.name); err != nil {
		return 0, err
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if at >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	err := f.disk.before(Write, f.name)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if !f.node.room(at + int64(len(b))) {
		return 0, fmt.Errorf("write %s: past the end at %d", f.name, at)
	}
	if err == nil || !errors.Is(err, ErrPowerCut) || err == errLast {
		f.node.pending = append(f.node.pending, &write{at: at, data: slices.Clone(b)})
	}
	if err != nil {
		return 0, err
	}
	return copy(f.node.data[at:], b), nil
}

func (f *file) Sync() error {
	err := f.disk.before(Sync, f.name)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err != nil {
		if !errors.Is(err, ErrPowerCut) {
			f.node.pending = f.node.direct() // as Linux does: the pages count as clean from here on, whatever the disk has
		}
		return err
	}
	if grown := len(f.node.data) - len(f.node.durable); grown > 0 {
		f.node.durable = append(f.node.durable, make([]byte, grown)...)
	}
	for _, w := range f.node.pending {
		if !w.direct {
			copy(f.node.durable[w.at:], w.data)
		}
	}
	f.node.pending = f.node.direct()
	return nil
}

func (f *file) Close() error { return nil }

var _ disk.FS = (*Disk)(nil)
