package node

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node/config"
	"github.com/quorate/quorate/rpc/raftnet"
	"github.com/quorate/quorate/shardgroup/stable"
)

// A replica that voted and has no log may not start as if nothing had been. If a power cut explains it (durability
// interval: a young group's whole log was not synced yet) it may, with its votes held.
func TestReplicaThatLostItsLog(t *testing.T) {
	for name, tc := range map[string]struct {
		run            string
		lost, lostTail bool
	}{
		"after a power cut, always":          {`{"boot":"another","lossy":false,"clean":false}`, true, false},
		"after a power cut, interval":        {`{"boot":"another","lossy":true,"clean":false}`, false, true},
		"after a clean end, interval":        {`{"boot":"another","lossy":true,"clean":true}`, true, false},
		"suspected since an earlier cut":     {`{"boot":"another","lossy":false,"clean":true,"suspect":true}`, false, true},
		"the first run of a node that voted": {"", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var c config.Config
			config.Flags(pflag.NewFlagSet(t.Name(), pflag.ContinueOnError), &c)
			c.DataDir, c.Durability = t.TempDir(), "interval"
			fatal := func(err error) { t.Error(err) }
			s, err := openStores(c, Host{}, nil, nil, nil, fatal)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.stable.ForGroup(1).SetUint64([]byte("CurrentTerm"), 2); err != nil {
				t.Fatal(err)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			overwrite(t, filepath.Join(c.DataDir, "stable.db"), "run", tc.run)
			if s, err = openStores(c, Host{}, nil, nil, nil, fatal); err != nil {
				t.Fatal(err)
			}
			g, err := s.group(1)
			if err != nil || g.lost != tc.lost || g.lostTail != tc.lostTail {
				t.Errorf("lost %v, tail lost %v, error %v; want %v, %v", g.lost, g.lostTail, err, tc.lost, tc.lostTail)
			}
			if tc.run != "" && s.hold != raftnet.MaxLease {
				t.Errorf("after a version that did not record its lease, votes are held for %v", s.hold)
			}
			if p, err := s.group(placementGroup); err != nil || p.lostTail {
				t.Errorf("placement's log, which is always synced, may have lost its tail: %v, %v", p.lostTail, err)
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A killed run in durability interval leaves entries that nothing has synced. They stay in danger until a run has opened the log:
// a start that fails before may not count as their rescue.
func TestATailInDangerIsRemembered(t *testing.T) {
	for name, tc := range map[string]struct {
		durability string
		// broken: the log cannot be opened.
		broken   bool
		lostTail bool
	}{
		"the log is opened, always":   {"always", false, false},
		"the log is opened, interval": {"interval", false, false},
		"the log cannot be opened":    {"interval", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var c config.Config
			config.Flags(pflag.NewFlagSet(t.Name(), pflag.ContinueOnError), &c)
			c.DataDir = t.TempDir()
			start := func(durability string) (*stores, error) {
				c := c
				c.Durability = durability
				return openStores(c, Host{}, nil, nil, nil, func(err error) { t.Error(err) })
			}
			end := func(s *stores, err error) {
				if err == nil {
					err = s.close()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			record, log := filepath.Join(c.DataDir, "stable.db"), filepath.Join(c.DataDir, "log")
			end(start("interval"))
			amend(t, record, "clean", false) // it was killed

			if tc.broken {
				aside(t, log, func() {
					if _, err := start(tc.durability); err == nil {
						t.Fatal("a file was opened as the folder of the log")
					}
				})
			} else {
				end(start(tc.durability))
			}
			amend(t, record, "boot", "another") // then the power went

			s, err := start("always")
			if err != nil {
				t.Fatal(err)
			}
			if g, err := s.group(1); err != nil || g.lostTail != tc.lostTail {
				t.Errorf("tail lost: %v, %v; want %v", g.lostTail, err, tc.lostTail)
			}
			end(s, nil)
		})
	}
}

// A node may not start with the other kind of log, which would be empty: the group's snapshot alone does not hold what the replica
// has acknowledged since. Once the data has gone, it may.
func TestTheOtherKindOfLogIsRefused(t *testing.T) {
	for _, kinds := range [][2]string{{"wal", "boltdb"}, {"boltdb", "wal"}} {
		t.Run(kinds[0], func(t *testing.T) {
			var c config.Config
			config.Flags(pflag.NewFlagSet(t.Name(), pflag.ContinueOnError), &c)
			c.DataDir = t.TempDir()
			open := func(kind string) (*stores, error) {
				c := c
				c.LogStore = kind
				return openStores(c, Host{}, nil, nil, nil, func(err error) { t.Error(err) })
			}
			s, err := open(kinds[0])
			if err != nil {
				t.Fatal(err)
			}
			fill(t, s)
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			usual := c.Lease
			c.Lease = raftnet.MaxLease
			if _, err := open(kinds[1]); err == nil || !strings.Contains(err.Error(), "start with "+kinds[0]) {
				t.Fatalf("opened: %v", err)
			}
			c.Lease = usual
			if s, err = open(kinds[0]); err != nil || s.hold > usual {
				t.Fatal("a refusal has changed something:", err, s.hold)
			}
			if g, err := s.group(1); err != nil {
				t.Error(err)
			} else if last, err := g.logs.LastIndex(); last != 2 || err != nil {
				t.Errorf("the log ends at %d, %v", last, err)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			both := map[string]string{"wal": "group-00000001.bolt", "boltdb": "00000001.wal"}[kinds[0]]
			if err := os.WriteFile(filepath.Join(c.DataDir, "log", both), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := open(kinds[0]); err == nil || !strings.Contains(err.Error(), "both kinds") {
				t.Fatalf("opened with logs of both kinds: %v", err)
			}
			if err := os.RemoveAll(c.DataDir); err != nil {
				t.Fatal(err)
			}
			if s, err = open(kinds[1]); err != nil {
				t.Fatal(err)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// aside has a file in the place of a folder while f runs.
func aside(t *testing.T, folder string, f func()) {
	t.Helper()
	if err := errors.Join(os.Rename(folder, folder+".aside"), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	f()
	if err := errors.Join(os.Remove(folder), os.Rename(folder+".aside", folder)); err != nil {
		t.Fatal(err)
	}
}

// amend changes a field in a stable store's record of the last run.
func amend(t *testing.T, path, field string, value any) {
	t.Helper()
	bolt, err := raftboltdb.NewBoltStore(path)
	if err != nil {
		t.Fatal(err)
	}
	record, err := bolt.Get([]byte("run"))
	if err := errors.Join(err, bolt.Close()); err != nil {
		t.Fatal(err)
	}
	run := map[string]any{}
	if err := json.Unmarshal(record, &run); err != nil {
		t.Fatal(err)
	}
	run[field] = value
	if record, err = json.Marshal(run); err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, "run", string(record))
}

// A node that starts with a shorter lease keeps what it has promised with the longer one, and forgets that once it is over.
func TestHoldForALongerLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := records{}
		start := func(lease time.Duration) *Node {
			s, err := stable.OpenOn(file, func() (string, error) { return "boot", nil }, func(err error) { t.Error(err) })
			if err != nil {
				t.Fatal(err)
			}
			n := &Node{cfg: config.Config{Lease: lease}, stores: &stores{stable: s}, fatal: func(err error) { t.Error(err) }}
			if n.stores.hold, err = s.BeginRun(lease, raftnet.MaxLease); err != nil {
				t.Fatal(err)
			}
			return n
		}
		start(9 * time.Second)
		for i, want := range []time.Duration{9 * time.Second, 9 * time.Second, time.Second} {
			n := start(time.Second)
			if o := n.transportOptions(groupStores{hadState: true}); !o.HadState || o.Lease != time.Second || o.Hold != want {
				t.Errorf("start %d: %+v, want to hold for %v", i+1, o, want)
			}
			runs := want - time.Second // not until the hold is over
			if i > 0 {
				runs = want
			}
			ctx, cancel := context.WithTimeout(t.Context(), runs+time.Millisecond)
			n.outliveLeases(ctx)
			cancel()
		}
	})
}

// records is a stable store's file in memory.
type records map[string][]byte

func (r records) Get(key []byte) ([]byte, error) { return r[string(key)], nil }
func (r records) Set(key, v []byte) error        { r[string(key)] = v; return nil }
func (r records) Close() error                   { return nil }

// overwrite changes one record of a stable store, if value is not empty.
func overwrite(t *testing.T, path, key, value string) {
	t.Helper()
	if value == "" {
		return
	}
	bolt, err := raftboltdb.NewBoltStore(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := bolt.Set([]byte(key), []byte(value)); err != nil {
		t.Fatal(err)
	}
	if err := bolt.Close(); err != nil {
		t.Fatal(err)
	}
}

// What a replica left behind goes before the node's next replica of the group begins, and its vote stays. A crash half way
// through begins again; a map that knows of fewer lives than the disk is somebody else's.
func TestALaterLifeStartsEmpty(t *testing.T) {
	for _, logStore := range []string{"wal", "boltdb"} {
		t.Run(logStore, func(t *testing.T) {
			var c config.Config
			config.Flags(pflag.NewFlagSet(t.Name(), pflag.ContinueOnError), &c)
			c.DataDir, c.LogStore = t.TempDir(), logStore
			open := func() *stores {
				s, err := openStores(c, Host{}, nil, nil, nil, func(err error) { t.Error(err) })
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			s := open()
			fill(t, s)
			for _, step := range []struct {
				life      uint64
				last      uint64
				snapshots int
			}{{0, 2, 1}, {1, 0, 0}, {1, 0, 0}} {
				if err := s.live(1, step.life); err != nil {
					t.Fatal(err)
				}
				g, err := s.group(1)
				if err != nil {
					t.Fatal(err)
				}
				last, err := g.logs.LastIndex()
				snapshots, err2 := g.snapshots.List()
				term, err3 := g.stable.GetUint64([]byte("CurrentTerm"))
				if err := errors.Join(err, err2, err3); err != nil || last != step.last || len(snapshots) != step.snapshots || term != 5 {
					t.Errorf("life %d: %v, last entry %d, %d snapshots, term %d", step.life, err, last, len(snapshots), term)
				}
				if err := s.close(); err != nil {
					t.Fatal(err)
				}
				s = open()
			}
			fill(t, s)
			if err := s.live(1, 0); err == nil {
				t.Error("a map of the past was believed")
			}
			if g, err := s.group(1); err != nil {
				t.Error(err)
			} else if last, err := g.logs.LastIndex(); last != 2 || err != nil {
				t.Errorf("the log ends at %d, %v: a refusal must delete nothing", last, err)
			}
			if err := s.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// fill gives group 1 a term, two entries and a snapshot.
func fill(t *testing.T, s *stores) {
	t.Helper()
	g, err := s.group(1)
	if err != nil {
		t.Fatal(err)
	}
	err = g.stable.SetUint64([]byte("CurrentTerm"), 5)
	if err == nil {
		err = g.logs.StoreLogs([]*raft.Log{{Index: 1, Term: 5}, {Index: 2, Term: 5}})
	}
	if err != nil {
		t.Fatal(err)
	}
	sink, err := g.snapshots.Create(1, 1, 5, raft.Configuration{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
}
