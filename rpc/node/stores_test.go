package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/rpc/node/config"
)

func TestDataWithoutItsIdentityIsRefused(t *testing.T) {
	var c config.Config
	config.Flags(pflag.NewFlagSet("server", pflag.ContinueOnError), &c)
	c.DataDir = filepath.Join(t.TempDir(), "data")
	fatal := func(err error) { t.Error(err) }
	open := func() error {
		s, err := openStores(c, fatal)
		if err != nil {
			return err
		}
		return s.close()
	}
	for range 2 {
		if err := open(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(c.DataDir, stableFile)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what refuses must not leave behind what it missed
		if err := open(); err == nil || !strings.Contains(err.Error(), stableFile) || !strings.Contains(err.Error(), c.DataDir) {
			t.Fatalf("a log without %s: %v", stableFile, err)
		}
	}
}
