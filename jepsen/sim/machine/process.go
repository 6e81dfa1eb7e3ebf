package machine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/shardgroup/stable"
	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
	"github.com/quorate/quorate/shardgroup/wal/disk"
)

// Process is one process on a machine, from its start to its end.
type Process struct {
	m   *Machine
	rng *rand.Rand

	mu sync.Mutex
	// dead is closed when it ends; all its operations fail from then on.
	dead  chan struct{}
	ended bool
	// countdown is how many more changes to the disk happen before doom is called; there is none if doom is nil.
	countdown int
	doom      func()
	changes   int
	// dirty is, by file of the groups' log, since when there is something that was written and not synced.
	dirty map[string]time.Time
}

// errDead fails what a process does after its end; it wraps ErrPowerCut so that the disk holds nothing of it.
var errDead = fmt.Errorf("the process has ended: %w", crashdisk.ErrPowerCut)

// Start starts the machine's process; the one before must have ended. seed decides how long its syncs take.
func (m *Machine) Start(seed uint64) *Process {
	p := &Process{m: m, rng: rand.New(rand.NewPCG(seed, 0)), dead: make(chan struct{}), dirty: map[string]time.Time{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil {
		panic("machine " + m.name + ": the process before is still running")
	}
	m.process = p
	return p
}

// End ends the process, once: killed, or with the machine's power. What is on the disks afterwards is fixed by this.
func (p *Process) End(powerCut bool, rng *rand.Rand) Loss {
	p.mu.Lock()
	if !p.ended {
		p.ended = true
		close(p.dead)
	}
	p.mu.Unlock()
	return p.m.end(p, powerCut, rng)
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// DoomAfter lets n more changes to the disks happen; then, before the next one, the process ends and doom is called, from
// a goroutine of its own.
func (p *Process) DoomAfter(n int, doom func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.countdown, p.doom = n, doom
}

// Changes counts the changes to the disks.
func (p *Process) Changes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changes
}

// change asks whether a change to the disks may happen.
func (p *Process) change() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errDead
	}
	p.changes++
	if p.doom == nil {
		return nil
	}
	if p.countdown--; p.countdown >= 0 {
		return nil
	}
	p.ended = true
	close(p.dead)
	go p.doom()
	return errDead
}

func (p *Process) unsynced() (lost Loss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, since := range p.dirty {
		if lost.Since.IsZero() || since.Before(lost.Since) {
			lost.Since = since
		}
	}
	return lost
}

// Disk is node.Host's.
func (p *Process) Disk(folder string) (disk.FS, error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	d := p.m.disks[folder]
	if d == nil {
		d = new(crashdisk.Disk)
		p.m.disks[folder] = d
	}
	d.SetHook(func(op crashdisk.Op, file string) error { return p.before(folder, file, op) })
	return d, nil
}

// GroupsLog is the folder of the log that all shard groups of a node share.
const GroupsLog = "log"

// before is called before each operation of a disk.
func (p *Process) before(folder, file string, op crashdisk.Op) error {
	if op == crashdisk.Read || op == crashdisk.Open {
		if p.Ended() {
			return errDead
		}
		return nil
	}
	if err := p.change(); err != nil {
		return err
	}
	if err := p.suffer(op); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return errDead
	case folder != GroupsLog:
	case op == crashdisk.Write && p.dirty[file].IsZero():
		p.dirty[file] = time.Now()
	case op == crashdisk.Sync:
		delete(p.dirty, file)
	}
	return nil
}

// suffer takes the time that an operation takes, and fails if the disk does.
func (p *Process) suffer(op crashdisk.Op) error {
	for {
		p.m.mu.Lock()
		f, eased := p.m.disk, p.m.eased
		fail := f.fails(op)
		if fail != nil {
			p.m.disk.Fail, p.m.disk.FailSync = nil, nil
		}
		p.m.mu.Unlock()
		switch {
		case fail != nil:
			return fail
		case f.Full != nil && (op == crashdisk.Create || op == crashdisk.Write):
			return f.Full
		case f.Stuck:
			select {
			case <-eased:
				continue
			case <-p.dead:
				return errDead
			}
		case op == crashdisk.Sync || op == crashdisk.SyncDir:
			return p.sleep(f.Delay, f.Jitter)
		}
		return nil
	}
}

// fails is what an operation fails with once.
func (f DiskFault) fails(op crashdisk.Op) error {
	switch {
	case op == crashdisk.Sync && f.FailSync != nil:
		return f.FailSync
	case op == crashdisk.Sync || op == crashdisk.Write:
		return f.Fail
	}
	return nil
}

func (p *Process) sleep(delay, jitter time.Duration) error {
	p.mu.Lock()
	x := p.rng.Float64()
	p.mu.Unlock()
	timer := time.NewTimer(delay + time.Duration(x*x*float64(jitter)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.dead:
		return errDead
	}
}

// Stable is node.Host's.
func (p *Process) Stable(fatal func(error)) (*stable.Store, error) {
	return stable.OpenOn(records{p}, p.m.boot, fatal)
}

// records is the stable store's file.
type records struct{ p *Process }

func (r records) Get(key []byte) ([]byte, error) {
	if r.p.Ended() {
		return nil, errDead
	}
	r.p.m.mu.Lock()
	defer r.p.m.mu.Unlock()
	return r.p.m.records[string(key)], nil
}

func (r records) Set(key, v []byte) error {
	if err := r.p.change(); err != nil {
		return err
	}
	if err := r.p.suffer(crashdisk.Sync); err != nil {
		return err
	}
	return r.p.put(r.p.m.records, string(key), v)
}

func (records) Close() error { return nil }

// put changes records or files, unless the process has ended meanwhile.
func (p *Process) put(in map[string][]byte, key string, v []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return errDead
	}
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	in[key] = slices.Clone(v)
	return nil
}

// Files is node.Host's. They are never slow: placement holds a lock while it writes, and a bubble's clock does not go on
// while somebody waits for one.
func (p *Process) Files() Files { return Files{p} }

// Files are placement's files.
type Files struct{ p *Process }

// Load implements service.Files.
func (f Files) Load(name string) ([]byte, error) {
	if f.p.Ended() {
		return nil, errDead
	}
	f.p.m.mu.Lock()
	defer f.p.m.mu.Unlock()
	return f.p.m.files[name], nil
}

// Replace implements service.Files.
func (f Files) Replace(name string, data []byte) error {
	if err := f.p.change(); err != nil {
		return err
	}
	f.p.m.mu.Lock()
	full := f.p.m.disk.Full
	f.p.m.mu.Unlock()
	if full != nil {
		return full
	}
	return f.p.put(f.p.m.files, name, data)
}

// What a failing and a full disk say.
var (
	ErrIO   = errors.New("input/output error")
	ErrFull = errors.New("no space left on device")
)
