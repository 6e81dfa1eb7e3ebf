package node

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node/config"
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
			s, err := openStores(c, Host{}, nil, nil, fatal)
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
			if s, err = openStores(c, Host{}, nil, nil, fatal); err != nil {
				t.Fatal(err)
			}
			g, err := s.group(1)
			if err != nil || g.lost != tc.lost || g.lostTail != tc.lostTail {
				t.Errorf("lost %v, tail lost %v, error %v; want %v, %v", g.lost, g.lostTail, err, tc.lost, tc.lostTail)
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
				s, err := openStores(c, Host{}, nil, nil, func(err error) { t.Error(err) })
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
