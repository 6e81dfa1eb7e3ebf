package stable

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"
)

func TestRuns(t *testing.T) {
	const lossy, synced = true, false
	type life struct {
		boot    string
		lossy   bool
		noLog   bool // the log is not opened
		crash   bool // ends without EndRun
		recover bool // TailRecovered is called
		suspect bool // want
	}
	for name, lives := range map[string][]life{
		"a first run has lost nothing":                {{boot: "1", lossy: lossy}},
		"a clean end loses nothing":                   {{boot: "1", lossy: lossy}, {boot: "2", lossy: lossy}},
		"a killed process loses nothing":              {{boot: "1", lossy: lossy, crash: true}, {boot: "1", lossy: lossy}},
		"a power cut of a synced run loses nothing":   {{boot: "1", lossy: synced, crash: true}, {boot: "2", lossy: lossy}},
		"a power cut of a lossy run may lose":         {{boot: "1", lossy: lossy, crash: true}, {boot: "2", lossy: synced, suspect: true}},
		"suspicion outlives crashes and clean ends":   {{boot: "1", lossy: lossy, crash: true}, {boot: "2", lossy: lossy, crash: true, suspect: true}, {boot: "2", lossy: lossy, suspect: true}, {boot: "2", suspect: true}},
		"catching up ends it":                         {{boot: "1", lossy: lossy, crash: true}, {boot: "2", lossy: lossy, recover: true, crash: true, suspect: true}, {boot: "2", lossy: lossy}},
		"a tail that is not synced may be lost later": {{boot: "1", lossy: lossy, crash: true}, {boot: "1", lossy: synced, noLog: true, crash: true}, {boot: "2", lossy: synced, suspect: true}},
		"to open the log syncs the tail":              {{boot: "1", lossy: lossy, crash: true}, {boot: "1", lossy: synced, crash: true}, {boot: "2", lossy: synced}},
		"a log that did not open was not synced":      {{boot: "1", lossy: lossy, crash: true}, {boot: "1", lossy: lossy, noLog: true}, {boot: "2", lossy: lossy, suspect: true}},
		"without the log nothing is acknowledged":     {{boot: "1", lossy: lossy}, {boot: "1", lossy: lossy, noLog: true, crash: true}, {boot: "2", lossy: lossy}},
		"without a boot id any crash counts":          {{boot: "", lossy: lossy, crash: true}, {boot: "", lossy: lossy, suspect: true}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stable")
			for i, life := range lives {
				s := openAt(t, path)
				s.bootID = func() (string, error) {
					if life.boot == "" {
						return "", fs.ErrNotExist
					}
					return life.boot, nil
				}
				must(t, begin(s))
				if got := s.LostTailPossible(); got != life.suspect {
					t.Errorf("life %d: lost tail possible: %v, want %v", i+1, got, life.suspect)
				}
				if !life.noLog {
					must(t, s.LogOpened(life.lossy))
				}
				if life.recover {
					must(t, s.TailRecovered())
				}
				if !life.crash {
					must(t, s.EndRun())
				}
				must(t, s.Close())
			}
		})
	}
}

// begin starts a run whose promises do not matter.
func begin(s *Store) error {
	_, err := s.BeginRun(time.Second, time.Second)
	return err
}

// A run must know how long those before it may have promised something, until that is over.
func TestHoldForEarlierRuns(t *testing.T) {
	const longest = 10 * time.Second
	type life struct {
		lease  time.Duration
		over   bool   // PromisesOver is called
		before string // record in the place of the one that is there
		hold   time.Duration
	}
	for name, lives := range map[string][]life{
		"a first run":                {{lease: 2 * time.Second, hold: 2 * time.Second}},
		"a longer lease":             {{lease: time.Second, hold: time.Second}, {lease: 9 * time.Second, hold: 9 * time.Second}},
		"a shorter one":              {{lease: 9 * time.Second, hold: 9 * time.Second}, {lease: time.Second, hold: 9 * time.Second}},
		"again, before that is over": {{lease: 9 * time.Second, hold: 9 * time.Second}, {lease: time.Second, hold: 9 * time.Second}, {lease: time.Second, hold: 9 * time.Second}},
		"again, when that is over":   {{lease: 9 * time.Second, hold: 9 * time.Second}, {lease: time.Second, over: true, hold: 9 * time.Second}, {lease: time.Second, hold: time.Second}},
		"a version without record":   {{lease: time.Second, hold: time.Second}, {before: `{"boot":"1","lossy":true,"clean":true,"suspect":false}`, lease: time.Second, over: true, hold: longest}, {lease: time.Second, hold: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stable")
			for i, life := range lives {
				s := openAt(t, path)
				if life.before != "" {
					must(t, s.set([]byte(keyRun), []byte(life.before)))
					must(t, s.Close())
					s = openAt(t, path)
				}
				hold, err := s.BeginRun(life.lease, longest)
				if err != nil || hold != life.hold {
					t.Errorf("life %d: hold for %v, %v, want %v", i+1, hold, err, life.hold)
				}
				must(t, s.LogOpened(true))
				if life.over {
					must(t, s.PromisesOver())
				}
				must(t, errors.Join(s.EndRun(), s.Close()))
			}
		})
	}
}

func TestBeginRunOnce(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "stable"))
	if err := s.LogOpened(true); err == nil {
		t.Error("the log of no run was opened")
	}
	must(t, begin(s))
	if s.run.Boot == "" {
		t.Error("no boot id of this kernel")
	}
	if err := begin(s); err == nil {
		t.Error("a second BeginRun was taken")
	}
}

// A group that has caught up acknowledges anew, and none of that is lost when its process is killed while others of the
// node's groups have yet to catch up. A further power cut starts all over.
func TestAGroupThatCaughtUpHasNotLostItsTailAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable")
	begin := func(boot string) *Store {
		s := openAt(t, path)
		s.bootID = func() (string, error) { return boot, nil }
		must(t, errors.Join(begin(s), s.LogOpened(true)))
		return s
	}
	kill := func(s *Store) { must(t, s.Close()) }
	expect := func(s *Store, what string, first, second bool) {
		t.Helper()
		if s.LostTail(1) != first || s.LostTail(2) != second || s.LostTailPossible() != (first || second) {
			t.Errorf("%s: lost tail of group 1 %v, of group 2 %v, of any %v", what, s.LostTail(1), s.LostTail(2), s.LostTailPossible())
		}
	}
	kill(begin("1"))
	s := begin("2")
	expect(s, "power cut", true, true)
	must(t, s.GroupRecovered(1))
	expect(s, "group 1 has caught up", false, true)
	kill(s)
	s = begin("2")
	expect(s, "killed before group 2 had", false, true)
	kill(s)
	s = begin("3")
	expect(s, "another power cut", true, true)
	must(t, s.GroupRecovered(2))
	must(t, s.TailRecovered())
	expect(s, "all have caught up", false, false)
	must(t, s.Close())
}
