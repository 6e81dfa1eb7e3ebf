package consensus

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hashicorp/raft"
)

// fixture is a guarded log over a store in memory.
type fixture struct {
	logs   *logStore
	store  *raft.InmemStore
	fatal  []error
	voters [][]raft.ServerID
	// committed is what the state machine may have been given.
	committed uint64
}

func newFixture(t *testing.T, newest *raft.SnapshotMeta, entries ...*raft.Log) *fixture {
	t.Helper()
	f := &fixture{store: raft.NewInmemStore()}
	if err := f.store.StoreLogs(entries); err != nil {
		t.Fatal(err)
	}
	fail := &failStop{fatal: func(err error) { f.fatal = append(f.fatal, err) }}
	m := &members{setVoters: func(ids []raft.ServerID) { f.voters = append(f.voters, ids) }}
	f.logs = &logStore{LogStore: f.store, fail: fail, members: m, grown: func(int64) {}, committed: func() uint64 { return f.committed }}
	if err := f.logs.open(newest); err != nil && len(f.fatal) == 0 {
		t.Fatal(err)
	}
	return f
}

// run makes entries first to last of a term.
func run(first, last, term uint64) (out []*raft.Log) {
	for i := first; i <= last; i++ {
		out = append(out, &raft.Log{Index: i, Term: term, Data: []byte("data")})
	}
	return out
}

func configured(index, term uint64, ids ...string) *raft.Log {
	return &raft.Log{Index: index, Term: term, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(voting(ids...))}
}

func voting(ids ...string) (c raft.Configuration) {
	for _, id := range ids {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
	}
	return c
}

func TestLogContinuesNewestSnapshot(t *testing.T) {
	at := func(index, term uint64) *raft.SnapshotMeta {
		return &raft.SnapshotMeta{Index: index, Term: term, ConfigurationIndex: 1, Configuration: voting("a", "b", "c")}
	}
	for name, c := range map[string]struct {
		newest      *raft.SnapshotMeta
		log         []*raft.Log
		first, last uint64
		fatal       bool
	}{
		"nothing at all":                             {},
		"log without snapshot":                       {nil, run(1, 9, 1), 1, 9, false},
		"snapshot without log":                       {at(5, 1), nil, 0, 0, false},
		"log begins behind the snapshot":             {at(5, 1), run(6, 9, 1), 6, 9, false},
		"log overlaps the snapshot":                  {at(5, 1), run(3, 9, 1), 3, 9, false},
		"log ends before the snapshot: covered":      {at(5, 1), run(1, 3, 1), 0, 0, false},
		"log conflicts with the snapshot: discarded": {at(5, 2), run(3, 9, 1), 0, 0, false},
		"log behind the snapshot is forgotten":       {at(5, 2), run(6, 9, 1), 0, 0, false},
		"log far behind the snapshot is forgotten":   {at(5, 2), run(8, 9, 1), 0, 0, false},
		"hole between snapshot and log":              {at(5, 1), run(8, 9, 1), 8, 9, true},
		"log without its beginning":                  {nil, run(8, 9, 1), 8, 9, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, c.newest, c.log...)
			first, _ := f.logs.FirstIndex()
			last, _ := f.logs.LastIndex()
			if first != c.first || last != c.last || (len(f.fatal) > 0) != c.fatal {
				t.Errorf("log %d to %d, fatal %v; want %d to %d, fatal %v", first, last, f.fatal, c.first, c.last, c.fatal)
			}
		})
	}
}

// A log that begins right behind the snapshot still knows the snapshot's last term, so a leader's PrevLogEntry finds it.
func TestSnapshotStandsInForItsLastEntry(t *testing.T) {
	f := newFixture(t, &raft.SnapshotMeta{Index: 5, Term: 2}, run(6, 9, 2)...)
	var e raft.Log
	if err := f.logs.GetLog(5, &e); err != nil || e.Index != 5 || e.Term != 2 {
		t.Errorf("%+v, %v", e, err)
	}
	for _, index := range []uint64{4, 10} {
		if err := f.logs.GetLog(index, &e); !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("entry %d: %v, want ErrLogNotFound, by which raft knows to send the snapshot", index, err)
		}
	}
}

func TestLogJumpsOnlyToTheSnapshot(t *testing.T) {
	f := newFixture(t, nil, run(1, 3, 1)...)
	f.logs.saved(raft.SnapshotMeta{Index: 7, Term: 2})
	if err := f.logs.StoreLogs(run(8, 9, 2)); err != nil || len(f.fatal) > 0 {
		t.Fatal(err, f.fatal)
	}
	if first, _ := f.logs.FirstIndex(); first != 8 {
		t.Errorf("the log begins at %d: there is a hole in it", first)
	}
	if err := f.logs.StoreLogs(run(11, 11, 2)); err == nil || len(f.fatal) != 1 {
		t.Errorf("an entry behind a hole was stored: %v", err)
	}
}

func TestVotersCountFromTheMomentTheyAreInTheLog(t *testing.T) {
	f := newFixture(t, nil, configured(1, 1, "a", "b", "c"))
	step := func(want string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(f.voters[len(f.voters)-1]); got != want {
			t.Errorf("voters %s, want %s", got, want)
		}
	}
	step("[a b c]", nil)
	step("[a b c d]", f.logs.StoreLogs([]*raft.Log{configured(2, 1, "a", "b", "c", "d")}))
	step("[a b c]", f.logs.DeleteRange(2, 2))
	step("[a b]", f.logs.StoreLogs([]*raft.Log{configured(2, 2, "a", "b")}))
	f.logs.saved(raft.SnapshotMeta{Index: 9, Term: 3, ConfigurationIndex: 8, Configuration: voting("x", "y")})
	step("[x y]", nil)
	if c, index := f.logs.members.latest(); index != 8 || len(c.Servers) != 2 {
		t.Errorf("newest configuration %v at %d", c, index)
	}
}

// broken is a store whose disk has failed.
type broken struct{ *raft.InmemStore }

var errDisk = errors.New("input/output error")

func (broken) StoreLogs([]*raft.Log) error         { return errDisk }
func (broken) DeleteRange(_, _ uint64) error       { return errDisk }
func (broken) GetLog(uint64, *raft.Log) error      { return errDisk }
func (broken) Set(_, _ []byte) error               { return errDisk }
func (broken) SetUint64([]byte, uint64) error      { return errDisk }
func (broken) Get([]byte) ([]byte, error)          { return nil, errDisk }
func (broken) GetUint64([]byte) (uint64, error)    { return 0, errDisk }
func (broken) List() ([]*raft.SnapshotMeta, error) { return nil, errDisk }
func (broken) Create(raft.SnapshotVersion, uint64, uint64, raft.Configuration, uint64, raft.Transport) (raft.SnapshotSink, error) {
	return nil, errDisk
}

// F8: each failure of a store ends the process, also one that raft would only log.
func TestStoreFailuresAreFatal(t *testing.T) {
	bad := broken{raft.NewInmemStore()}
	for name, fail := range map[string]func(*failStop) error{
		"store": func(f *failStop) error {
			l := &logStore{LogStore: bad, fail: f, members: &members{}}
			return l.StoreLogs(run(1, 1, 1))
		},
		"delete": func(f *failStop) error {
			return (&logStore{LogStore: bad, fail: f, first: 1, last: 2}).DeleteRange(1, 2)
		},
		"get":    func(f *failStop) error { return (&logStore{LogStore: bad, fail: f}).GetLog(1, &raft.Log{}) },
		"set":    func(f *failStop) error { return stableStore{bad, f}.Set([]byte("k"), nil) },
		"set n":  func(f *failStop) error { return stableStore{bad, f}.SetUint64([]byte("k"), 1) },
		"read":   func(f *failStop) error { _, err := stableStore{bad, f}.Get([]byte("k")); return err },
		"read n": func(f *failStop) error { _, err := stableStore{bad, f}.GetUint64([]byte("k")); return err },
		"create": func(f *failStop) error {
			_, err := (&snapshotStore{SnapshotStore: brokenSnapshots{bad}, fail: f}).Create(1, 1, 1, raft.Configuration{}, 1, nil)
			return err
		},
		"list": func(f *failStop) error {
			_, err := (&snapshotStore{SnapshotStore: brokenSnapshots{bad}, fail: f}).List()
			return err
		},
	} {
		var fatal []error
		f := &failStop{fatal: func(err error) { fatal = append(fatal, err) }}
		if err := fail(f); !errors.Is(err, errDisk) || len(fatal) != 1 || !errors.Is(fatal[0], errDisk) {
			t.Errorf("%s: error %v, fatal %v", name, err, fatal)
		}
	}
	store := stableStore{raft.NewInmemStore(), &failStop{fatal: func(err error) { t.Errorf("a missing key is fatal: %v", err) }}}
	if _, err := store.Get([]byte("missing")); err == nil || err.Error() != "not found" {
		t.Errorf("missing key: %v", err)
	}
}

type brokenSnapshots struct{ broken }

func (brokenSnapshots) Open(string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	return nil, nil, errDisk
}

func TestConfigIsChecked(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"no node ID":                 func(c *Config) { c.Self = "" },
		"must all be set":            func(c *Config) { c.Logs = nil },
		"no Fatal function":          func(c *Config) { c.Fatal = nil },
		"it must be the node ID":     func(c *Config) { c.Self = "other" },
		"unknown read mode":          func(c *Config) { c.Reads = 9 },
		"must be shorter than the":   func(c *Config) { c.Timing.Lease = defaultPatience },
		"the pulse is one for":       func(c *Config) { c.Pulse = NewPulse(defaultLease / 2) },
		"snapshot bytes -1":          func(c *Config) { c.SnapshotBytes = -1 },
		"ElectionTimeout (500ms) mu": func(c *Config) { c.Timing.Heartbeat, c.Timing.Election = 600*time.Millisecond, 500*time.Millisecond },
	} {
		_, addr := raft.NewInmemTransport("n0")
		store := raft.NewInmemStore()
		cfg := Config{
			Self: "n0", FSM: &list{}, Transport: inmem{addr}, Logs: store, Stable: store, Snapshots: raft.NewInmemSnapshotStore(),
			Fatal: func(err error) { t.Log(err) },
		}
		spoil(&cfg)
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// unreadable snapshots are damaged behind their headers.
type unreadable struct{ raft.SnapshotStore }

func (u unreadable) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, r, err := u.SnapshotStore.Open(id)
	return meta, io.NopCloser(iotest.ErrReader(errDisk)), errors.Join(err, r.Close())
}

// Whoever has to mend a node must hear what is wrong with its snapshot.
func TestADamagedSnapshotIsNamed(t *testing.T) {
	_, link := raft.NewInmemTransport("n0")
	store, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	one := raft.Configuration{Servers: []raft.Server{{ID: "n0", Address: "n0"}}}
	sink, err := snapshots.Create(raft.SnapshotVersionMax, 5, 1, one, 1, link)
	if err == nil {
		err = sink.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(Config{
		Self: "n0", FSM: &list{}, Transport: inmem{link}, Logs: store, Stable: store, Snapshots: unreadable{snapshots},
		Fatal: func(err error) { t.Log(err) },
	})
	if !errors.Is(err, errDisk) {
		t.Errorf("error %v, want one that says why", err)
	}
}

// inmem is a transport for replicas that are never started.
type inmem struct{ *raft.InmemTransport }

func (inmem) SetVoters([]raft.ServerID)                            {}
func (inmem) QuorumSent(uint64) (time.Time, bool)                  { return time.Time{}, false }
func (inmem) LeaseUntil(uint64) (time.Time, bool)                  { return time.Time{}, false }
func (inmem) Revoke(uint64)                                        {}
func (inmem) AckNotify() <-chan struct{}                           { return nil }
func (inmem) Beat(uint64, time.Duration) bool                      { return false }
func (inmem) SetLastEntry(func() (term, index uint64, known bool)) {}
func (inmem) RefuseSnapshot(uint64)                                {}
func (inmem) ReleaseVotes()                                        {}
func (inmem) VoteFor(raft.ServerID)                                {}

// What was applied can't be taken back: a process whose log loses it must end, and not know it when it starts again.
func TestForgottenEntriesEndTheProcess(t *testing.T) {
	f := newFixture(t, nil, run(1, 9, 1)...)
	f.committed = 5
	err := errors.Join(f.logs.DeleteRange(6, 9), f.logs.StoreLogs(run(6, 7, 2)), f.logs.DeleteRange(1, 2))
	if err != nil || len(f.fatal) > 0 {
		t.Fatalf("a conflict behind what is committed, or a compaction, is fatal: %v, %v", err, f.fatal)
	}
	if err := f.logs.DeleteRange(5, 7); !errors.Is(err, ErrForgotten) || len(f.fatal) != 1 || !errors.Is(f.fatal[0], ErrForgotten) {
		t.Errorf("a conflict within what is committed: error %v, fatal %v", err, f.fatal)
	}
	if last, err := f.store.LastIndex(); err != nil || last != 4 {
		t.Errorf("the log ends at %d, %v", last, err)
	}
}

// A replica that has nothing but a snapshot compacts an empty log when it takes the next one. That forgets nothing.
func TestCompactingAnEmptyLog(t *testing.T) {
	s := &logStore{LogStore: raft.NewInmemStore(), committed: func() uint64 { return 378 }}
	if err := s.DeleteRange(0, 378); err != nil {
		t.Error(err)
	}
}
