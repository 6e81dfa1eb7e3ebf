package snapfile

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// The power goes at every step of the saving of a second snapshot: what is found afterwards is the first or the second,
// whole, and the second if its Close had returned.
func TestPowerCutWhileSaving(t *testing.T) {
	first, second := bytes.Repeat([]byte("1"), 3000), bytes.Repeat([]byte("2"), 5000)
	for seed := range uint64(10) {
		for cut, saved := 0, false; !saved; cut++ {
			rng := rand.New(rand.NewPCG(seed, uint64(cut)))
			d := new(crashdisk.Disk)
			s, err := OpenOn(d)
			if err != nil {
				t.Fatal(err)
			}
			save(t, s, 5, first)
			d.CutPower(cut)
			saved = try(s, 12, second)
			after, err := OpenOn(d.Crash(rng))
			if err != nil {
				t.Fatal(err)
			}
			m, data, err := newest(after)
			if err != nil || m == nil {
				t.Fatalf("cut at step %d: %v, %v", cut, m, err)
			}
			want := first
			if m.Index == 12 {
				want = second
			}
			if !bytes.Equal(data, want) || saved && m.Index != 12 {
				t.Errorf("cut at step %d, saved %v: found %d bytes of index %d", cut, saved, len(data), m.Index)
			}
		}
	}
}

// try saves a snapshot and says whether that succeeded.
func try(s *Store, index uint64, data []byte) bool {
	k, err := s.Create(1, index, 3, servers, index-1, nil)
	if err != nil {
		return false
	}
	if _, err := k.Write(data); err != nil {
		return false
	}
	return k.Close() == nil
}
