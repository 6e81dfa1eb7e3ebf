package table

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// cluster is the tables of one group in a cluster of three: 5461 of them.
const groupTables = 5461

// benchKey writes the 16-byte key number n to buf.
func benchKey(buf []byte, n int) []byte {
	binary.BigEndian.PutUint64(buf, uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(buf[8:], uint64(n))
	return buf[:16]
}

func fill(t *Table, from, keys int, value []byte) {
	var buf [16]byte
	for i := range keys {
		t.Put(Record{Key: benchKey(buf[:], from+i), Value: value, Version: uint64(from + i)})
	}
}

// bytesPerKey is the memory of tables×keys keys, by the allocator's sizes.
func bytesPerKey(tables, keys, valueSize int) float64 {
	var sum int64
	all := 0
	value := make([]byte, valueSize)
	for i := range tables {
		t := New(1)
		// Slots don't get equally many keys: spread by 15 %.
		n := keys + (i%7-3)*keys/20
		fill(t, i*2*keys, n, value)
		sum += t.Physical()
		all += n
	}
	return float64(sum) / float64(all)
}

func TestBytesPerKey(t *testing.T) {
	for _, c := range []struct {
		tables, keys, value int
		most                float64
	}{
		{groupTables / 60, 300, 64, 108},
		{groupTables / 60, 300, 1024, 1110},
		{groupTables / 60, 30, 64, 135},
		{4, 100_000, 64, 106},
	} {
		if got := bytesPerKey(c.tables, c.keys, c.value); got > c.most {
			t.Errorf("%d tables of %d keys with %d-byte values: %.1f bytes per key, want at most %.0f", c.tables, c.keys, c.value, got, c.most)
		} else {
			t.Logf("%d tables of %d keys with %d-byte values: %.1f bytes per key", c.tables, c.keys, c.value, got)
		}
	}
}

func BenchmarkBytesPerKey(b *testing.B) {
	for _, size := range []int{64, 1024} {
		b.Run(fmt.Sprintf("value=%d", size), func(b *testing.B) {
			var got float64
			for b.Loop() {
				got = bytesPerKey(groupTables, 300, size)
			}
			b.ReportMetric(got, "bytes/key")
		})
	}
}

// loaded makes n tables of keys keys.
func loaded(n, keys int) []*Table {
	tables := make([]*Table, n)
	for i := range tables {
		tables[i] = New(1)
		fill(tables[i], i*keys, keys, make([]byte, 64))
	}
	return tables
}

// shapes are the ways in which a million keys may lie, and the least.
var shapes = []struct {
	name         string
	tables, keys int
}{
	{"1key", 1, 1},
	{"1Mkeys_3333slots", 3333, 300},
	{"1Mkeys_1slot", 1, 1_000_000},
}

func benchShapes(b *testing.B, f func(b *testing.B, tables []*Table, keys int)) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			tables := loaded(s.tables, s.keys)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, tables, s.keys)
		})
	}
}

// pick spreads i over all keys of all tables.
func pick(tables []*Table, keys, i int, buf []byte) (*Table, []byte) {
	n := int(uint64(i) * 0x9e3779b97f4a7c15 % uint64(len(tables)*keys))
	return tables[n/keys], benchKey(buf, n)
}

func BenchmarkGet(b *testing.B) {
	benchShapes(b, func(b *testing.B, tables []*Table, keys int) {
		var buf [16]byte
		for i := range b.N {
			t, key := pick(tables, keys, i, buf[:])
			if _, ok := t.Get(key); !ok {
				b.Fatal("lost a key")
			}
		}
	})
}

func BenchmarkOverwrite(b *testing.B) {
	benchShapes(b, func(b *testing.B, tables []*Table, keys int) {
		var buf [16]byte
		value := make([]byte, 64)
		for i := range b.N {
			t, key := pick(tables, keys, i, buf[:])
			t.Put(Record{Key: key, Value: value, Version: uint64(i)})
		}
	})
}

// BenchmarkChurn overwrites with values of changing size: what doesn't fit moves, slabs get compacted.
func BenchmarkChurn(b *testing.B) {
	benchShapes(b, func(b *testing.B, tables []*Table, keys int) {
		var buf [16]byte
		value := make([]byte, 128)
		for i := range b.N {
			t, key := pick(tables, keys, i, buf[:])
			t.Put(Record{Key: key, Value: value[:32+i*7%96], Version: uint64(i)})
		}
	})
}

// BenchmarkMixed is nine Gets for a Put and one in a hundred Deletes and inserts.
func BenchmarkMixed(b *testing.B) {
	benchShapes(b, func(b *testing.B, tables []*Table, keys int) {
		var buf [16]byte
		value := make([]byte, 64)
		for i := range b.N {
			t, key := pick(tables, keys, i, buf[:])
			switch {
			case i%100 == 0:
				t.Delete(key)
				t.Put(Record{Key: key, Value: value, Version: uint64(i)})
			case i%10 == 0:
				t.Put(Record{Key: key, Value: value, Version: uint64(i)})
			default:
				t.Get(key)
			}
		}
	})
}

func BenchmarkPutNew(b *testing.B) {
	for _, tables := range []int{1, 3333} {
		b.Run(fmt.Sprintf("slots=%d", tables), func(b *testing.B) {
			b.ReportAllocs()
			var buf [16]byte
			value := make([]byte, 64)
			ts := make([]*Table, tables)
			for i := range b.N {
				// A million keys, then anew.
				if i%1_000_000 < tables {
					ts[i%tables] = New(1)
				}
				ts[i%tables].Put(Record{Key: benchKey(buf[:], i), Value: value, Version: uint64(i)})
			}
		})
	}
}
