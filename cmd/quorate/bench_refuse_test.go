package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBenchmarksRefuseBeforeTheyMeasure(t *testing.T) {
	tmp := temporary(t)
	readme := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(readme, []byte("no markers"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ line, says string }{
		"an output that isn't there":     {"bench --output xml", "text, json, html"},
		"a report as HTML":               {"bench idle --output html", "markdown"},
		"a curve over nothing":           {"bench curve", "accepts 1 arg"},
		"a curve over colours":           {"bench curve colours --values 1", "colours"},
		"a curve without values":         {"bench curve keys", "--values"},
		"a curve of no rounds":           {"bench curve keys --peer= --values 1 --rounds 0", "0 rounds"},
		"a curve beside etcd":            {"bench curve keys --values 1 --redis-flags x --peer etcd", "want one of Redis Cluster's modes"},
		"a curve beside itself":          {"bench curve keys --values 1 --peer quorate-always", "want one of Redis Cluster's modes"},
		"a curve with a wrong end":       {"bench curve groups --values 3,-1", "-1 groups"},
		"a curve without keys":           {"bench curve keys --peer= --values 10,0", "0 keys: want 1 to"},
		"a value twice":                  {"bench curve clients --peer= --values 3,3", "clients 3 is given twice"},
		"a fixed number that varies":     {"bench curve clients --peer= --values 3 --clients 7", "--clients is what varies"},
		"groups of Redis":                {"bench curve groups --values 3 --peer redis-everysec", "no groups to vary"},
		"flags of no Redis in a curve":   {"bench curve groups --values 3 --redis-flags x", "--redis-flags"},
		"flags of no Redis among peers":  {"bench peers --systems etcd,quorate-always --redis-flags x", "--redis-flags"},
		"flags of no Quorate":            {"bench memory --systems etcd --quorate-flags x", "--quorate-flags"},
		"an unknown system":              {"bench peers --systems memcached", "memcached"},
		"a negative rate":                {"bench peers --rate -1", "rate -1"},
		"no clients":                     {"bench peers --clients 0", "0 clients"},
		"fewer clients than nodes":       {"bench peers --clients 2", "want --clients 3 or more"},
		"a curve of too few clients":     {"bench curve clients --peer= --values 3,2", "want --values 3 or more"},
		"too few clients for a curve":    {"bench curve keys --peer= --values 100 --clients 2", "want --clients 3 or more"},
		"too few clients for snapshots":  {"bench snapshot --clients 2", "want --clients 3 or more"},
		"no keys":                        {"bench peers --keys 0", "0 keys"},
		"a negative value":               {"bench peers --value-size -1", "value size -1"},
		"no time to measure":             {"bench peers --duration 0", "duration"},
		"a last pipeline that is none":   {"bench peers -P 1,0", "pipeline 0"},
		"a pipeline twice":               {"bench peers -P 1,1", "pipeline 1 is given twice"},
		"pipelines of etcd":              {"bench peers -P 4 --systems etcd", "one command at once"},
		"a peer's groups":                {"bench idle --system etcd", "etcd"},
		"nodes with less than no groups": {"bench idle --groups 3,-1", "-1 groups"},
		"nodes without groups":           {"bench snapshot --groups -1", "-1 groups"},
		"snapshots without keys":         {"bench snapshot --keys 0", "0 keys"},
		"a last value that is too small": {"bench memory --value-size 8,-1", "value size -1"},
		"values of one size, twice":      {"bench memory --value-size 8,8", "value size 8 is given twice"},
		"a file without markers":         {"bench memory --write " + readme, "<!-- memory -->"},
		"a section of no file":           {"bench memory --section x", "--write"},
		"no port":                        {"bench memory --port 0", "--port 0"},
		"a port without one 10000 above": {"bench peers --port 60000", "--port 60000"},
		"a port for restarts, too":       {"bench rolling --port 55534", "--port 55534"},
		"a port for faults, too":         {"bench failover --port -1", "--port -1"},
		"nothing to restart":             {"bench rolling --rounds 0", "0 rounds"},
		"restarts before the last":       {"bench rolling --between -1s", "-1s"},
		"faults watched backwards":       {"bench failover --after -1s", "no time"},
		"faults as HTML":                 {"bench failover --output html", "text, json"},
		"too many hits":                  {"bench peers --hits 2", "hits 2: want 0 to 1"},
		"hits that are no number":        {"bench peers --hits NaN", "hits NaN: want 0 to 1"},
		"too many hits of a cluster":     {"bench --hits 2", "hits 2: want 0 to 1"},
		"hits of NaN":                    {"bench --hits NaN", "hits NaN: want 0 to 1"},
		"no server process":              {"bench --pid= --output text", "--pid"},
		"no time to settle":              {"bench peers --settle -1s", "settle"},
		"no time for nodes to settle":    {"bench idle --settle -1s", "settle"},
		"no time for memory to settle":   {"bench memory --settle -1s", "settle"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := quorateUntil(ctx, t, strings.Fields(c.line)...)
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something about %q", name, err, c.says)
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
