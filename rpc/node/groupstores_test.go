package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node/config"
)

// A snapshot that was not finished may be what fills the disk. It goes before the log opens, which begins a new file.
func TestUnfinishedSnapshotsGoBeforeTheLogOpens(t *testing.T) {
	var c config.Config
	config.Flags(pflag.NewFlagSet(t.Name(), pflag.ContinueOnError), &c)
	c.DataDir = t.TempDir()
	s, err := openStores(c, Host{}, nil, nil, nil, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(c.DataDir, "groups", "1", "tmp-7")
	if err := os.WriteFile(left, []byte("much"), 0o600); err != nil {
		t.Fatal(err)
	}
	aside(t, filepath.Join(c.DataDir, "log"), func() {
		if s, err := openStores(c, Host{}, nil, nil, nil, func(error) {}); err == nil {
			t.Error("a file was opened as the folder of the log", s.close())
		}
	})
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unfinished snapshot is left: %v", err)
	}
	if s, err = openStores(c, Host{}, nil, nil, nil, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	g, err := s.group(1)
	if err != nil {
		t.Fatal(err)
	}
	if snapshots, err := g.snapshots.List(); err != nil || len(snapshots) != 1 {
		t.Errorf("%d snapshots, %v", len(snapshots), err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
