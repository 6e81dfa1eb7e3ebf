package stable

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm/slot"
)

// run is the node-level record of the present run, or of the one before until BeginRun.
type run struct {
	Boot string `json:"boot"` // the kernel's boot id
	// Lossy: entries may have been acknowledged, by this run or by earlier ones, that are not synced yet.
	Lossy bool `json:"lossy"`
	Clean bool `json:"clean"` // the run ended with EndRun
	// Lease is the longest promise not to help to elect anybody else that this run makes, or that an earlier one has made and
	// that may not be over.
	Lease time.Duration `json:"lease"`
	// Suspect: this or an earlier run may have lost acknowledged entries, and the node has not caught up since.
	Suspect bool `json:"suspect"`
	// Recovered are the groups that have caught up since the last loss, though not all of the node's have.
	Recovered []slot.GroupID `json:"recovered,omitempty"`
}

const (
	keyRun     = "run"
	bootIDFile = "/proc/sys/kernel/random/boot_id" // new with each boot of the kernel, the same in all of its containers
)

// unknownLease is that of a version which did not record it.
const unknownLease = math.MaxInt64

func kernelBootID() (string, error) {
	b, err := os.ReadFile(bootIDFile)
	return strings.TrimSpace(string(b)), err
}

func (s *Store) loadRun() error {
	v, err := s.get([]byte(keyRun))
	if err != nil || v == nil {
		return err
	}
	s.run.Lease = unknownLease
	if err := json.Unmarshal(v, &s.run); err != nil {
		return fmt.Errorf("record of the last run %q: %w", v, err)
	}
	return nil
}

// BeginRun marks the start of a run, durably, before it promises anything; LogOpened follows. lease is how long its promises are,
// longest how long any can be. hold is for how long from now on one of an earlier run may have to be kept: see PromisesOver.
// Without a boot id (not Linux) any unclean end of a lossy run counts as a power cut.
//
// What an earlier run of the same boot acknowledged is in the log, but perhaps not on the disk before LogOpened: until then,
// and if the log cannot be opened, a power cut takes it as if that run had not ended.
func (s *Store) BeginRun(lease, longest time.Duration) (hold time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return 0, errors.New("stable: BeginRun was called already")
	}
	boot, err := s.bootID()
	if err != nil {
		boot = ""
	}
	last := s.run
	unsynced := last.Lossy && !last.Clean
	cut := unsynced && (boot == "" || boot != last.Boot)
	next := run{
		Boot: boot, Lossy: unsynced, Suspect: last.Suspect || cut, Recovered: last.Recovered,
		Lease: max(lease, min(last.Lease, longest)),
	}
	if cut {
		next.Recovered = nil
	}
	if err := s.saveRun(next); err != nil {
		return 0, err
	}
	s.running, s.lease = true, lease
	return next.Lease, nil
}

// PromisesOver records that the promises of earlier runs are over: what BeginRun returned has passed since. The next run then need
// not hold for them.
func (s *Store) PromisesOver() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running || s.run.Lease == s.lease {
		return nil
	}
	r := s.run
	r.Lease = s.lease
	return s.saveRun(r)
}

// LogOpened records, before the run acknowledges anything, that all that earlier runs left in the log is synced. lossy says that
// this run acknowledges entries before they are (durability: interval).
func (s *Store) LogOpened(lossy bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return errors.New("stable: LogOpened before BeginRun")
	}
	r := s.run
	r.Lossy = lossy
	if err := s.saveRun(r); err != nil {
		return err
	}
	s.logOpen = true
	return nil
}

// EndRun marks the run's end as clean: the log was closed, and so synced, without an error. A run that has not come to LogOpened
// leaves what earlier ones left.
func (s *Store) EndRun() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.logOpen {
		return nil
	}
	r := s.run
	r.Clean = true
	return s.saveRun(r)
}

// LostTailPossible reports, after BeginRun, whether the machine lost power (or crashed) during a lossy run and the node
// has not caught up since. Its log may then lack entries that it acknowledged; see LostTail.
func (s *Store) LostTailPossible() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.Suspect
}

// LostTail reports whether group's log may lack entries that it acknowledged: the replica must not vote before GroupRecovered.
func (s *Store) LostTail(group slot.GroupID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.Suspect && !slices.Contains(s.run.Recovered, group)
}

// GroupRecovered records that group has, since the loss, caught up with a leader. It acknowledges entries anew from then on,
// and they are all there if its process ends before the node's other groups have caught up: it must not be counted among
// those who have lost their tails once more, since a majority of such goes on without what the others have.
func (s *Store) GroupRecovered(group slot.GroupID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.run.Suspect || slices.Contains(s.run.Recovered, group) {
		return nil
	}
	r := s.run
	r.Recovered = append(slices.Clone(r.Recovered), group)
	return s.saveRun(r)
}

// TailRecovered records that each of the node's groups has, since the loss, caught up with a leader.
func (s *Store) TailRecovered() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.run.Suspect {
		return nil
	}
	r := s.run
	r.Suspect, r.Recovered = false, nil
	return s.saveRun(r)
}

func (s *Store) saveRun(r run) error {
	v, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := s.set([]byte(keyRun), v); err != nil {
		return err
	}
	s.run = r
	return nil
}
