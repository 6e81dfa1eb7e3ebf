package table

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// heapHeld is what Go's heap holds after a collection, the holes between objects included, in bytes.
func heapHeld() int64 {
	runtime.GC()
	runtime.GC() // the first one's spans are swept by the second at the latest
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// churn deletes and writes keys of all tables, n times, with values of all sizes, some of them blobs.
func churn(tables []*Table, keys, n int, rnd *rand.Rand) {
	value := make([]byte, 4096)
	var buf [16]byte
	for i := range n {
		k := rnd.IntN(keys)
		t, key := tables[k%len(tables)], benchKey(buf[:], k)
		if i%4 == 0 {
			t.Delete(key)
			continue
		}
		size := rnd.IntN(256)
		if i%16 == 1 {
			size = rnd.IntN(len(value))
		}
		t.Put(Record{Key: key, Value: value[:size], Version: uint64(i)})
	}
}

// TestChurnLeavesFewHolesInTheHeap: values that go and come back with other sizes do not eat up memory, and cleared tables give it back.
func TestChurnLeavesFewHolesInTheHeap(t *testing.T) {
	const keys = 100_000
	empty := heapHeld()
	tables := make([]*Table, 400)
	for i := range tables {
		tables[i] = New(1)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for round := range 5 {
		churn(tables, keys, 4*keys, rnd)
		var logical int64
		for _, tab := range tables {
			logical += tab.Bytes()
		}
		held := heapHeld() - empty
		t.Logf("round %d: %d logical bytes, %.2f times as many in the heap", round, logical, float64(held)/float64(logical))
		if held > logical*3/2 {
			t.Errorf("round %d: %d logical bytes hold %d of the heap", round, logical, held)
		}
	}
	for _, tab := range tables {
		tab.Clear()
	}
	if left := heapHeld() - empty; left > 2<<20 {
		t.Errorf("%d bytes are left of cleared tables", left)
	}
	runtime.KeepAlive(tables)
}

// TestSlabsAreJoined: what a collection has to mark and sweep grows with the memory, not with the keys, however the records came
// there; pages that split and are compacted begin with slabs that are joined already.
func TestSlabsAreJoined(t *testing.T) {
	tab := New(1)
	for i := range 20_000 {
		tab.Put(Record{Key: numberedKey(i), Value: make([]byte, 64), Version: 1})
		for p := range pages(tab.dir, tab.depth) {
			slabs, frames := 0, int(p.tail)+1
			for range p.slabs {
				slabs++
			}
			if most := frames/maxFrames + maxFrames; slabs > most {
				t.Fatalf("%d slabs for %d frames, want at most %d", slabs, frames, most)
			}
		}
	}
	if err := tab.verify(); err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		if r, ok := tab.Get(numberedKey(i)); !ok || len(r.Value) != 64 {
			t.Fatalf("key %d: %v, %d bytes", i, ok, len(r.Value))
		}
	}
	for p := range pages(tab.dir, tab.depth) {
		p.compact(0)
		slabs := 0
		for range p.slabs {
			slabs++
		}
		if most := int(p.used)/maxSlab + maxFrames; slabs > most {
			t.Errorf("%d slabs for %d bytes of a compacted page, want at most %d", slabs, p.used, most)
		}
	}
}
