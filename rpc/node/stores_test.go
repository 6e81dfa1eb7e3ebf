package node

import (
	"path/filepath"
	"testing"

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
			s, err := openStores(c, Host{}, nil, fatal)
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
			if s, err = openStores(c, Host{}, nil, fatal); err != nil {
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
