package stable

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/fsm/slot"
	"github.com/quorate/quorate/shardgroup/wal/boltfile"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("STABLE_TEST_HOLD_LOCK"); dir != "" {
		holdLock(dir)
	}
	goleak.VerifyTestMain(m)
}

// openAt opens the store; a failure that the test does not expect fails it.
func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, 0, func(err error) { t.Errorf("fatal: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t interface {
	Helper()
	Fatal(...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestIdentityIsDrawnOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	a, b := openAt(t, filepath.Join(dir, "a")), openAt(t, filepath.Join(dir, "b"))
	if a.NodeID() == b.NodeID() || !validNodeID(a.NodeID()) || !validNodeID(b.NodeID()) {
		t.Fatalf("identities %q and %q: want two different ones of 40 hex digits", a.NodeID(), b.NodeID())
	}
	must(t, a.Close())
	if again := openAt(t, filepath.Join(dir, "a")); again.NodeID() != a.NodeID() {
		t.Errorf("identity %s after restart, was %s", again.NodeID(), a.NodeID())
	}
}

func TestNodeJoinsOneClusterForLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable")
	s := openAt(t, path)
	if s.ClusterID() != "" {
		t.Fatalf("cluster %q before it joined one", s.ClusterID())
	}
	must(t, s.SetClusterID("c1"))
	must(t, s.SetClusterID("c1"))
	must(t, s.Close())
	s = openAt(t, path)
	if s.ClusterID() != "c1" {
		t.Errorf("cluster %q after restart, want c1", s.ClusterID())
	}
	if err := s.SetClusterID("c2"); err == nil || !strings.Contains(err.Error(), "belongs to cluster c1, not c2") {
		t.Errorf("joining a second cluster: %v", err)
	}
	if err := s.SetClusterID(""); err == nil {
		t.Error("an empty cluster id was taken")
	}
}

func TestForeignFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable")
	bolt, err := boltfile.Open(path, nil)
	must(t, err)
	must(t, bolt.Close())
	if _, err := Open(path, 0, func(error) {}); err == nil || !strings.Contains(err.Error(), "node identity") {
		t.Errorf("a bolt file without identity: %v", err)
	}
}

// TestGroupsAgainstModel drives several groups' stores as raft does, with restarts at any time, against plain variables.
func TestGroupsAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		must(rt, err)
		path := filepath.Join(dir, "stable")
		open := func() *Store {
			s, err := Open(path, 0, func(err error) { rt.Fatalf("fatal: %v", err) })
			must(rt, err)
			return s
		}
		s := open()
		defer func() { s.Close() }()
		model := map[slot.GroupID]ballot{}
		id := rapid.Custom(func(t *rapid.T) slot.GroupID { return slot.GroupID(rapid.IntRange(0, 3).Draw(t, "group")) })
		number := rapid.Uint64Range(1, 9)
		rt.Repeat(map[string]func(*rapid.T){
			"term": func(rt *rapid.T) {
				g, term := id.Draw(rt, "group"), number.Draw(rt, "term")
				must(rt, s.ForGroup(g).SetUint64([]byte(keyTerm), term))
				b := model[g]
				b.term = term
				model[g] = b
			},
			"vote": func(rt *rapid.T) {
				g, term, cand := id.Draw(rt, "group"), number.Draw(rt, "term"), rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(rt, "candidate")
				must(rt, s.ForGroup(g).SetUint64([]byte(keyVoteTerm), term))
				must(rt, s.ForGroup(g).Set([]byte(keyCandidate), cand))
				b := model[g]
				b.voteTerm, b.candidate = term, cand
				model[g] = b
			},
			"half a vote": func(rt *rapid.T) {
				must(rt, s.ForGroup(id.Draw(rt, "group")).SetUint64([]byte(keyVoteTerm), number.Draw(rt, "term")))
			},
			"restart": func(rt *rapid.T) { must(rt, s.Close()); s = open() },
			"remove":  func(rt *rapid.T) { s.RemoveGroup(id.Draw(rt, "group")) },
			"": func(rt *rapid.T) {
				for g := range slot.GroupID(4) {
					if got := read(rt, s.ForGroup(g)); got.term != model[g].term || got.voteTerm != model[g].voteTerm ||
						string(got.candidate) != string(model[g].candidate) {
						rt.Fatalf("group %d: %+v, want %+v", g, got, model[g])
					}
				}
			},
		})
	})
}

func read(t *rapid.T, s raft.StableStore) (b ballot) {
	var errs [3]error
	b.term, errs[0] = s.GetUint64([]byte(keyTerm))
	b.voteTerm, errs[1] = s.GetUint64([]byte(keyVoteTerm))
	b.candidate, errs[2] = s.Get([]byte(keyCandidate))
	must(t, errors.Join(errs[:]...))
	return b
}

func TestUnknownKeysAndOrders(t *testing.T) {
	g := openAt(t, filepath.Join(t.TempDir(), "stable")).ForGroup(1)
	_, getErr := g.Get([]byte(keyTerm))
	_, getUintErr := g.GetUint64([]byte("Other"))
	for what, err := range map[string]error{
		"get of a number":           getErr,
		"number that is not raft's": getUintErr,
		"set":                       g.Set([]byte("Other"), []byte("x")),
		"set of a number":           g.SetUint64([]byte("Other"), 1),
		"candidate without a term":  g.Set([]byte(keyCandidate), []byte("x")),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// TestDamagedBallotIsFatal flips each bit of a stored record in turn.
func TestDamagedBallotIsFatal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable")
	whole := ballot{term: 8, voteTerm: 7, candidate: []byte("somebody")}.encode()
	if _, err := decodeBallot(whole); err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(whole) {
		bad := append([]byte(nil), whole...)
		bad[i/8] ^= 1 << (i % 8)
		if b, err := decodeBallot(bad); err == nil {
			t.Fatalf("bit %d flipped reads as %+v", i, b)
		}
	}
	fatal := 0
	s, err := Open(path, 0, func(error) { fatal++ })
	must(t, err)
	defer s.Close()
	must(t, s.set(groupKey(1), whole[:len(whole)-1]))
	for range 2 {
		if _, err := s.ForGroup(1).GetUint64([]byte(keyTerm)); err == nil {
			t.Error("a damaged record was read")
		}
	}
	if fatal != 1 {
		t.Errorf("fatal called %d times, want once", fatal)
	}
}

func FuzzDecodeBallot(f *testing.F) {
	f.Add(ballot{term: 8, voteTerm: 7, candidate: []byte("somebody")}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, v []byte) {
		b, err := decodeBallot(v)
		if err == nil && string(b.encode()) != string(v) {
			t.Errorf("%x decodes to %+v, which encodes to %x", v, b, b.encode())
		}
	})
}

// TestFailedWriteIsFatalOnce: after it, nothing is read or written any more.
func TestFailedWriteIsFatalOnce(t *testing.T) {
	var fatal []error
	s, err := Open(filepath.Join(t.TempDir(), "stable"), 0, func(err error) { fatal = append(fatal, err) })
	must(t, err)
	must(t, s.ForGroup(1).SetUint64([]byte(keyTerm), 1))
	must(t, s.file.Close()) // every write fails from here on
	for range 2 {
		if err := s.ForGroup(1).SetUint64([]byte(keyTerm), 2); err == nil {
			t.Error("a write to a closed file succeeded")
		}
	}
	if _, err := s.ForGroup(1).GetUint64([]byte(keyTerm)); err == nil {
		t.Error("a read after a failed write succeeded")
	}
	if err := s.SetClusterID("c"); err == nil || s.ClusterID() != "" {
		t.Errorf("cluster %q after a failed write, error %v", s.ClusterID(), err)
	}
	if len(fatal) != 1 {
		t.Errorf("fatal calls %v, want one", fatal)
	}
}

// stuck is a file whose writes end when they may.
type stuck struct {
	File
	until chan struct{}
}

func (f stuck) Set(key, v []byte) error {
	<-f.until
	return f.File.Set(key, v)
}

// TestAStuckWriteIsFatalWhenTold: the limit is the node's.
func TestAStuckWriteIsFatalWhenTold(t *testing.T) {
	until := make(chan struct{})
	var why error
	s, err := Open(filepath.Join(t.TempDir(), "stable"), 20*time.Millisecond, func(err error) {
		why = err
		close(until)
	})
	must(t, err)
	defer s.Close()
	s.file = stuck{s.file, until}
	err = s.SetClusterID("c")
	if err == nil || why == nil || !strings.Contains(why.Error(), "did not end within 20ms") || !strings.Contains(why.Error(), "stall-timeout") {
		t.Errorf("%v, fatal %v", err, why)
	}
}

// TestLockNamesTheOwner runs this test binary as the other process.
func TestLockNamesTheOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "STABLE_TEST_HOLD_LOCK="+dir)
	in, err := other.StdinPipe()
	must(t, err)
	out, err := other.StdoutPipe()
	must(t, err)
	must(t, other.Start())
	if n, err := out.Read(make([]byte, 1)); n != 1 {
		t.Fatalf("the other process has not locked: %v", err)
	}
	want := "in use by process " + strconv.Itoa(other.Process.Pid)
	if _, err := LockDir(dir); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("lock of a locked folder: %v, want it to say %q", err, want)
	}
	must(t, in.Close())
	must(t, other.Wait())
	l, err := LockDir(dir)
	must(t, err)
	must(t, l.Unlock())
}

// holdLock is the other process: it locks, says so, and ends with its input.
func holdLock(dir string) {
	l, err := LockDir(dir)
	if err != nil {
		os.Exit(1)
	}
	os.Stdout.Write([]byte("+"))
	os.Stdin.Read(make([]byte, 1))
	l.Unlock()
	os.Exit(0)
}

// slowFile is a file in memory whose writes take a second of virtual time.
type slowFile struct {
	mu      sync.Mutex
	records map[string][]byte
}

func (f *slowFile) Get(key []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.records[string(key)], nil
}

func (f *slowFile) Set(key, v []byte) error {
	time.Sleep(time.Second)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records[string(key)] = v
	return nil
}

func (f *slowFile) Close() error { return nil }

// A store on another file than bbolt's keeps what it is told, and whoever waits for a slow write does not stop a bubble's
// clock.
func TestStoreOnAnotherFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := &slowFile{records: map[string][]byte{}}
		reopen := func(boot string) *Store {
			s, err := OpenOn(file, func() (string, error) { return boot, nil }, func(err error) { t.Errorf("fatal: %v", err) })
			must(t, err)
			must(t, errors.Join(begin(s), s.LogOpened(true)))
			return s
		}
		s := reopen("1")
		id := s.NodeID()
		var wg sync.WaitGroup
		for g := range slot.GroupID(5) {
			wg.Go(func() { must(t, s.ForGroup(g).SetUint64([]byte(keyTerm), uint64(g)+1)) })
			wg.Go(func() { s.ClusterID() })
		}
		wg.Wait()
		again := reopen("2")
		if again.NodeID() != id || !again.LostTailPossible() {
			t.Errorf("identity %s, was %s; lost tail possible: %v", again.NodeID(), id, again.LostTailPossible())
		}
		for g := range slot.GroupID(5) {
			if term, err := again.ForGroup(g).GetUint64([]byte(keyTerm)); err != nil || term != uint64(g)+1 {
				t.Errorf("group %d has term %d, %v", g, term, err)
			}
		}
	})
}

func TestLivesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable")
	s := openAt(t, path)
	if life, err := s.Life(7); life != 0 || err != nil {
		t.Fatalf("the first life is %d, %v", life, err)
	}
	must(t, s.SetLife(7, 3))
	s.RemoveGroup(7)
	must(t, s.Close())
	s = openAt(t, path)
	for id, want := range map[slot.GroupID]uint64{7: 3, 8: 0} {
		if life, err := s.Life(id); life != want || err != nil {
			t.Errorf("group %d is in life %d, %v, want %d", id, life, err, want)
		}
	}
}
