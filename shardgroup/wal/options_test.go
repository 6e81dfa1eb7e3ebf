package wal

import (
	"strings"
	"testing"
	"time"
)

func TestDurabilityWords(t *testing.T) {
	for _, d := range []Durability{Always, Interval} {
		if got, err := ParseDurability(d.String()); got != d || err != nil {
			t.Errorf("%v reads as %v, %v", d, got, err)
		}
	}
	if _, err := ParseDurability("sometimes"); err == nil || !strings.Contains(err.Error(), "want always or interval") {
		t.Errorf("unknown word: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	fatal := func(error) {}
	for name, o := range map[string]Options{
		"no Fatal":           {},
		"unknown durability": {Fatal: fatal, Durability: 2},
		"tiny segments":      {Fatal: fatal, SegmentBytes: minSegmentBytes - 1},
		"huge segments":      {Fatal: fatal, SegmentBytes: maxSegmentBytes + 1},
		"negative interval":  {Fatal: fatal, SyncEvery: -1},
		"negative tail":      {Fatal: fatal, TailBytes: -1},
		"negative stall":     {Fatal: fatal, StallTimeout: -1},
	} {
		if _, err := Open(t.TempDir(), o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	o, err := Options{Fatal: fatal}.withDefaults()
	if err != nil || o.Durability != Always || o.SyncEvery != time.Second || o.SegmentBytes != 64<<20 || o.StallTimeout != 10*time.Second {
		t.Errorf("defaults %+v, %v", o, err)
	}
}
