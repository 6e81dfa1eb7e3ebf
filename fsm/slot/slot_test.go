package slot

import (
	"testing"

	"pgregory.net/rapid"
)

func TestOf(t *testing.T) {
	// Values printed by CLUSTER KEYSLOT of redis-server 7.0.15.
	for key, want := range map[string]uint16{
		"":               0,
		"123456789":      12739,
		"foo":            12182,
		"{user1000}.a":   3443,
		"{user1000}.b":   3443,
		"foo{}{bar}":     8363,
		"foo{{bar}}zap":  4015,
		"foo{bar}{zap}":  5061,
		"unclosed{tag":   14475,
		"\x00\xff{\x00}": 0,
	} {
		if got := Of([]byte(key)); got != want {
			t.Errorf("Of(%q) = %d, want %d", key, got, want)
		}
	}
}

// TestCRC16 compares with the definition of CRC-16/XMODEM, bit by bit.
func TestCRC16(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "key")
		var crc uint16
		for _, c := range key {
			crc ^= uint16(c) << 8
			for range 8 {
				top := crc&0x8000 != 0
				if crc <<= 1; top {
					crc ^= 0x1021
				}
			}
		}
		if got := crc16(key); got != crc {
			t.Fatalf("crc16(%q) = %04x, want %04x", key, got, crc)
		}
	})
}

func BenchmarkOf(b *testing.B) {
	key := []byte("key:000000012345")
	sum := 0
	for b.Loop() {
		key[15] ^= byte(sum)
		sum += int(Of(key))
	}
	b.ReportAllocs()
}

func TestRangesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, back Set
		for range rapid.IntRange(0, 20).Draw(t, "ranges") {
			first := rapid.Uint16Range(0, Count-1).Draw(t, "first")
			s.Add(Range{First: first, Last: rapid.Uint16Range(first, Count-1).Draw(t, "last")})
		}
		var prev = -2
		for _, r := range s.Ranges() {
			if int(r.First) <= prev+1 {
				t.Fatalf("range %v is not apart from the one before, which ends at %d", r, prev)
			}
			prev = int(r.Last)
			parsed, err := ParseRange(r.String())
			if err != nil {
				t.Fatal(err)
			}
			back.Add(parsed)
		}
		if s != back {
			t.Fatal("ranges do not rebuild the set")
		}
	})
}

func TestParseRangeRefuses(t *testing.T) {
	for _, s := range []string{"", "-", "5-", "-5", "7-3", "16384", "0-16384", "a", "1-2-3", " 1"} {
		if r, err := ParseRange(s); err == nil {
			t.Errorf("ParseRange(%q) = %v, want an error", s, r)
		}
	}
}
