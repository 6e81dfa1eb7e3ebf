package machine

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// Each flip changes one bit of what is worth it, and back takes it back.
func TestFlip(t *testing.T) {
	m := New("m")
	rng := rand.New(rand.NewPCG(1, 0))
	if what, _ := m.Flip(rng); what != "" {
		t.Errorf("%s was damaged on an empty machine", what)
	}
	p := m.Start(1)
	held := map[string][]byte{}
	for _, name := range []string{"log/00000001.wal", "log/00000002.wal", "log/00000003.spare", "groups/1/1-2.snap"} {
		i := strings.LastIndexByte(name, '/')
		d, err := p.Disk(name[:i])
		if err != nil {
			t.Fatal(err)
		}
		f, err := d.Create(name[i+1:], 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		held[name] = append(bytes.Repeat([]byte{1}, 50), make([]byte, 50)...)
		if _, err := f.WriteAt(held[name], 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Files().Replace("map", []byte("placement's")); err != nil {
		t.Fatal(err)
	}
	p.End(false, nil)
	contents := func(name string) []byte {
		if name == "/map" {
			return bytes.Clone(m.files["map"])
		}
		i := strings.LastIndexByte(name, '/')
		f, err := m.disks[name[:i]].Open(name[i+1:])
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		return b
	}
	hit := map[string]bool{}
	for range 100 {
		all := map[string][]byte{"/map": contents("/map")}
		for name := range held {
			all[name] = contents(name)
		}
		what, back := m.Flip(rng)
		name, _, _ := strings.Cut(what, " ")
		hit[name] = true
		for other, before := range all {
			if changed := !bytes.Equal(contents(other), before); changed != (other == name) {
				t.Fatalf("%s was damaged; %s changed: %v", what, other, changed)
			}
		}
		if back(); !bytes.Equal(contents(name), all[name]) {
			t.Fatalf("%s was not mended", what)
		}
	}
	if len(hit) != 3 || hit["log/00000002.wal"] || hit["log/00000003.spare"] {
		t.Errorf("damaged were %v", hit)
	}
}
