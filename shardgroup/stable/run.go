package stable

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// run is the node-level record of the present run, or of the one before until BeginRun.
type run struct {
	Boot  string `json:"boot"`  // the kernel's boot id
	Lossy bool   `json:"lossy"` // entries were acknowledged before they were synced
	Clean bool   `json:"clean"` // the run ended with Close
	// Suspect: this or an earlier run may have lost acknowledged entries, and the node has not caught up since.
	Suspect bool `json:"suspect"`
}

const (
	keyRun     = "run"
	bootIDFile = "/proc/sys/kernel/random/boot_id" // new with each boot of the kernel, the same in all of its containers
)

func kernelBootID() (string, error) {
	b, err := os.ReadFile(bootIDFile)
	return strings.TrimSpace(string(b)), err
}

func (s *Store) loadRun() error {
	v, err := s.get([]byte(keyRun))
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal(v, &s.run); err != nil {
		return fmt.Errorf("record of the last run %q: %w", v, err)
	}
	return nil
}

// BeginRun marks the start of a run, durably. lossy says that this run's log acknowledges entries before they are
// synced (durability: interval). Without a boot id (not Linux) any unclean end of a lossy run counts as a power cut.
func (s *Store) BeginRun(lossy bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return errors.New("stable: BeginRun was called already")
	}
	boot, err := s.bootID()
	if err != nil {
		boot = ""
	}
	last := s.run
	cut := last.Lossy && !last.Clean && (boot == "" || boot != last.Boot)
	if err := s.saveRun(run{Boot: boot, Lossy: lossy, Suspect: last.Suspect || cut}); err != nil {
		return err
	}
	s.running = true
	return nil
}

// LostTailPossible reports, after BeginRun, whether the machine lost power (or crashed) during a lossy run and the node
// has not caught up since. Its log may then lack entries that it acknowledged, so it must not vote before TailRecovered.
func (s *Store) LostTailPossible() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run.Suspect
}

// TailRecovered records that each of the node's groups has, since the loss, caught up with a leader.
func (s *Store) TailRecovered() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.run.Suspect {
		return nil
	}
	r := s.run
	r.Suspect = false
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

// Close marks the run's end as clean and closes the file. Close the log before: clean says that it was synced.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.running {
		r := s.run
		r.Clean = true
		err = s.saveRun(r)
		s.running = false
	}
	return errors.Join(err, s.file.Close())
}
