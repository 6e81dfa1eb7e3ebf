package testfaults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Orders are the faults that hold at one time; the zero value is none.
type Orders struct {
	// ClockShift is added to the node's wall clock.
	ClockShift time.Duration `json:"clock_shift_ns,omitempty"`
	// ClockDrift is by how much the wall clock runs faster from when the order came: 0.05 is three seconds a minute.
	ClockDrift float64 `json:"clock_drift,omitempty"`
	// SyncDelay is added to every sync of the logs and snapshots, and half as much again at random.
	SyncDelay time.Duration `json:"sync_delay_ns,omitempty"`
	// SyncStuck holds every sync until the order is taken back.
	SyncStuck bool `json:"sync_stuck,omitempty"`
	// FailSync lets the next sync fail, and no other one: what fsync does once and then reports success for lost pages.
	FailSync bool `json:"fail_sync,omitempty"`
	// FailWrite lets every write fail as on a full disk.
	FailWrite bool `json:"fail_write,omitempty"`
}

// Save writes the orders for whoever watches path.
func (o Orders) Save(path string) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Faults are the orders of one node, as they change. A nil *Faults has none.
type Faults struct {
	path string
	log  *slog.Logger
	now  atomic.Pointer[standing]
	stop chan struct{}
	done sync.WaitGroup
	// hit counts syncs and writes that were hurt.
	hit atomic.Uint64
}

// standing are orders and when they came.
type standing struct {
	Orders
	since time.Time
	// over is closed when other orders come.
	over chan struct{}
	// failed is set by the sync that FailSync has hit.
	failed atomic.Bool
}

// poll is how often the file is looked at.
const poll = 10 * time.Millisecond

// Watch obeys the file at path, which need not be there yet; no path, no faults. Orders that stand in it now hold on return.
func Watch(path string, log *slog.Logger) (*Faults, error) {
	if path == "" {
		return nil, nil
	}
	f := &Faults{path: path, log: log.With("faults", filepath.Base(path)), stop: make(chan struct{})}
	f.now.Store(&standing{since: time.Now(), over: make(chan struct{})})
	seen, err := f.look(nil)
	if err != nil {
		return nil, err
	}
	f.done.Go(func() { f.watch(seen) })
	return f, nil
}

// Close lifts the faults and ends the watch.
func (f *Faults) Close() {
	if f == nil {
		return
	}
	close(f.stop)
	f.done.Wait()
	f.obey(Orders{})
}

func (f *Faults) watch(seen []byte) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
		next, err := f.look(seen)
		if err != nil {
			f.log.Error("orders that can't be read are ignored", "error", err)
		}
		seen = next
	}
}

// look obeys the file if it is not what was seen before, and returns what it saw.
func (f *Faults) look(seen []byte) ([]byte, error) {
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = nil, nil
	}
	if err != nil || bytes.Equal(data, seen) {
		return seen, err
	}
	var o Orders
	if len(data) > 0 {
		if err := json.Unmarshal(data, &o); err != nil {
			return data, fmt.Errorf("test-faults %s: %w", f.path, err)
		}
	}
	f.obey(o)
	f.log.Warn("obeying a test harness", "orders", string(data))
	return data, nil
}

func (f *Faults) obey(o Orders) {
	close(f.now.Swap(&standing{Orders: o, since: time.Now(), over: make(chan struct{})}).over)
}

// Clock is the wall clock as ordered.
func (f *Faults) Clock() time.Time {
	now := time.Now()
	if f == nil {
		return now
	}
	s := f.now.Load()
	drift := time.Duration(float64(now.Sub(s.since)) * s.ClockDrift)
	return now.Add(s.ClockShift + drift)
}

// Hit counts the syncs and writes that were hurt so far.
func (f *Faults) Hit() uint64 {
	if f == nil {
		return 0
	}
	return f.hit.Load()
}

// sync is what happens before a sync.
func (f *Faults) sync() error {
	s := f.now.Load()
	if s.SyncDelay > 0 {
		f.hit.Add(1)
		time.Sleep(s.SyncDelay + rand.N(s.SyncDelay/2+1))
	}
	if s.SyncStuck {
		f.hit.Add(1)
		<-s.over
	}
	if s.FailSync && s.failed.CompareAndSwap(false, true) {
		f.hit.Add(1)
		return errSync
	}
	return nil
}

// write is what happens before a write.
func (f *Faults) write() error {
	if f.now.Load().FailWrite {
		f.hit.Add(1)
		return errFull
	}
	return nil
}
