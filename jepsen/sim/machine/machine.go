package machine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// Machine is one computer. Its methods may be called from any goroutine of the bubble.
type Machine struct {
	name string

	mu    sync.Mutex
	disks map[string]*crashdisk.Disk
	// records are the stable store's, files placement's. Their formats replace one thing at a time, all or nothing and
	// durably, so there is nothing that a power cut could do to them beyond coming before or after.
	records, files map[string][]byte
	boots          int
	process        *Process
	clock          clock
	disk           DiskFault
	// eased is closed and replaced when the disk changes.
	eased chan struct{}
}

// clock is a wall clock: right at since but for shift, and faster by drift from there on.
type clock struct {
	since time.Time
	shift time.Duration
	drift float64
}

// DiskFault is what is wrong with the disks.
type DiskFault struct {
	// Each sync takes Delay, and up to Jitter more.
	Delay, Jitter time.Duration
	// Stuck lets no write and no sync end.
	Stuck bool
	// Fail is what the next write or sync fails with, once: a write, since that comes first. FailSync is what the next sync fails
	// with, once; what it should have made durable is lost then. Full is what every write fails with.
	Fail, FailSync, Full error
}

// New makes a machine with empty disks.
func New(name string) *Machine {
	return &Machine{
		name: name, disks: map[string]*crashdisk.Disk{}, records: map[string][]byte{}, files: map[string][]byte{}, boots: 1,
		eased: make(chan struct{}), clock: clock{since: time.Now()},
	}
}

// SetDisk changes what is wrong with the disks. Operations that were stuck go on if they may.
func (m *Machine) SetDisk(f DiskFault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disk = f
	close(m.eased)
	m.eased = make(chan struct{})
}

// SetClock makes the wall clock wrong by shift, and faster by drift (0.05: three seconds a minute) from now on.
func (m *Machine) SetClock(shift time.Duration, drift float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock = clock{time.Now(), shift, drift}
}

// Now is the wall clock in Unix milliseconds.
func (m *Machine) Now() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, c := time.Now(), m.clock
	return now.Add(c.shift + time.Duration(c.drift*float64(now.Sub(c.since)))).UnixMilli()
}

// boot names the time between two power cuts, as the kernel does.
func (m *Machine) boot() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("%s-%d", m.name, m.boots), nil
}

// Loss is what a power cut took of the groups' log: what was written from Since on may be gone. The zero value is nothing.
type Loss struct{ Since time.Time }

// end is the end of p. With the power cut, un-synced bytes get lost as rng decides.
func (m *Machine) end(p *Process, powerCut bool, rng *rand.Rand) (lost Loss) {
	if powerCut {
		lost = p.unsynced()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != p {
		return Loss{}
	}
	m.process = nil
	if powerCut {
		m.boots++
	}
	for _, folder := range m.folders() {
		if powerCut {
			m.disks[folder] = m.disks[folder].Crash(rng)
		} else {
			m.disks[folder] = m.disks[folder].Kill()
		}
	}
	return lost
}

// folders lists the disks in an order that does not depend on chance. mu is held.
func (m *Machine) folders() (out []string) {
	for f := range m.disks {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}
