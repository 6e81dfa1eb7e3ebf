package service

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/placement/bootstrap"
	"github.com/quorate/quorate/placement/sealed"
	"github.com/quorate/quorate/placement/topology"
)

func sampleMap(epoch uint64, name string) *topology.Map {
	id := topology.NodeID(strings.Repeat("a", 40))
	return &topology.Map{
		Epoch: epoch, Cluster: strings.Repeat("c", 40), Settings: topology.DefaultSettings(),
		Nodes: []topology.Node{{ID: id, Name: name, Client: "h:1", Peer: "h:2", Weight: 100, Voter: true}},
	}
}

func TestFilesSurviveAndAreReplaced(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"first", "second"} {
		if err := save(folder(dir), mapFile, sampleMap(1, name)); err != nil {
			t.Fatal(err)
		}
	}
	// What a crash in the middle of a save leaves behind.
	if err := os.WriteFile(filepath.Join(dir, mapFile+".tmp"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var m topology.Map
	if found, err := load(folder(dir), mapFile, &m); !found || err != nil || m.Nodes[0].Name != "second" {
		t.Fatalf("load: %v, %v, %+v", found, err, m.Nodes)
	}
	if found, err := load(folder(dir), recordFile, &m); found || err != nil {
		t.Fatalf("load of no file: %v, %v", found, err)
	}
}

func TestDamagedFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := save(folder(dir), mapFile, sampleMap(1, "n")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, mapFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good = bytes.TrimSpace(good)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		var m topology.Map
		if err := sealed.Open(fileVersion, good[:i], &m); err == nil {
			t.Fatalf("cut at byte %d: accepted", i)
		}
		if err := sealed.Open(fileVersion, bad, &m); err == nil && !m.SameContent(sampleMap(1, "n")) {
			t.Fatalf("bit flip in byte %d: accepted as something else: %s", i, bad)
		}
	}
	if err := os.WriteFile(path, good[:len(good)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	var m topology.Map
	if _, err := load(folder(dir), mapFile, &m); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "start as a new node") {
		t.Fatalf("a damaged file: %v; want its path and what to do", err)
	}
}

func TestChartRefusesContradictions(t *testing.T) {
	dir := t.TempDir()
	told := map[topology.NodeID]string{}
	c, err := openChart(folder(dir), "", func(id topology.NodeID, addr string) { told[id] = addr })
	if err != nil {
		t.Fatal(err)
	}
	other := sampleMap(6, "n")
	other.Cluster = strings.Repeat("d", 40)
	for _, step := range []struct {
		name string
		m    *topology.Map
		ok   bool
	}{
		{"the first map", sampleMap(5, "n"), true},
		{"the same again", sampleMap(5, "n"), true},
		{"an older one", sampleMap(4, "old"), true},
		{"another of the same epoch", sampleMap(5, "other"), false},
		{"a newer one of another cluster", other, false},
	} {
		if err := c.advance(step.m); (err == nil) != step.ok {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	if now, _ := c.latest(); now.Epoch != 5 || now.Nodes[0].Name != "n" || told[now.Nodes[0].ID] != "h:2" {
		t.Errorf("the chart shows epoch %d, told %v", now.Epoch, told)
	}
}

// quietConfig is one that opens; its node never finds anybody.
func quietConfig(dir string, fatal func(error)) Config {
	self := sampleMap(1, "n").Nodes[0]
	self.Voter = false
	return Config{
		Dir: dir, Self: self, Peers: deafPeers{}, NotSent: func(error) bool { return true }, Status: func() []GroupStatus { return nil },
		Open: noReplica, Transfer: noTransfer, Reconfigure: noChange, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Fatal: fatal,
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(dir string, c *Config) error
		want    string
	}{
		"a damaged record": {func(dir string, _ *Config) error {
			return os.WriteFile(filepath.Join(dir, recordFile), []byte(`{"v":1,"crc32c":1,"body":{}}`), 0o600)
		}, "checksum"},
		"a newer record": {func(dir string, _ *Config) error {
			return os.WriteFile(filepath.Join(dir, recordFile), []byte(`{"v":9}`), 0o600)
		}, "upgrade"},
		"a member without its map": {func(dir string, _ *Config) error {
			return save(folder(dir), recordFile, bootstrap.Record{Cluster: strings.Repeat("c", 40)})
		}, "restore it"},
		"a map of another cluster": {func(dir string, _ *Config) error {
			if err := save(folder(dir), recordFile, bootstrap.Record{Cluster: strings.Repeat("d", 40)}); err != nil {
				return err
			}
			return save(folder(dir), mapFile, sampleMap(3, "n"))
		}, "mixed up"},
		"no address":                  {func(_ string, c *Config) error { c.Self.Client = ""; return nil }, "must be given"},
		"a bad id":                    {func(_ string, c *Config) error { c.Self.ID = "x"; return nil }, "40 lower-case"},
		"a cluster of one and --join": {func(_ string, c *Config) error { c.Expect, c.Join = 1, []string{"b:1"}; return nil }, "drop --join"},
		"expecting -1":                {func(_ string, c *Config) error { c.Expect = -1; return nil }, "bootstrap-expect -1"},
		"four voters":                 {func(_ string, c *Config) error { c.Shape.Voters = 4; return nil }, "want 1, 3 or 5"},
		"nobody to ask":               {func(_ string, c *Config) error { c.Peers = nil; return nil }, "must all be set"},
	} {
		dir := t.TempDir()
		cfg := quietConfig(dir, func(err error) { t.Errorf("fatal: %v", err) })
		if err := c.prepare(dir, &cfg); err != nil {
			t.Fatal(err)
		}
		s, err := Open(cfg)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}
