package table

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// TestMarkCopiesOnePage: a write after a Mark copies the page it is on and no other, the next one nothing.
func TestMarkCopiesOnePage(t *testing.T) {
	tab := New(1)
	numbered(tab, 0, 20_000, 64)
	view := tab.Mark()
	before := tab.dir
	overwrite := func(i int) { tab.Put(Record{Key: numberedKey(i), Value: make([]byte, 64), Version: 9}) }
	overwrite(7)
	fresh := 0
	for i, p := range tab.dir {
		if before[i] != p && p.gen == tab.gen {
			fresh++
		}
	}
	if most := 1 << (tab.depth - tab.pageOf(tab.hash(numberedKey(7))).depth); fresh == 0 || fresh > most {
		t.Errorf("%d places of the directory are new, want 1 to %d", fresh, most)
	}
	if n := testing.AllocsPerRun(10, func() { tab.Put(Record{Key: numberedKey6, Value: view2value}) }); n != 0 {
		t.Errorf("the second overwrite allocates %.0f times", n)
	}
	tab.Release(view)
	owned := tab.pageOf(tab.hash(numberedKey(8)))
	overwrite(8)
	if tab.pageOf(tab.hash(numberedKey(8))) != owned {
		t.Error("a page is copied although the View was released")
	}
}

var view2value = make([]byte, 64)

func TestReleaseTwicePanics(t *testing.T) {
	tab := New(1)
	view := tab.Mark()
	tab.Release(view)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	tab.Release(view)
}

// TestReleaseInAnyOrder: pages stay shared as long as any View that holds them is live.
func TestReleaseInAnyOrder(t *testing.T) {
	tab := New(1)
	numbered(tab, 0, 100, 10)
	old := tab.Mark()
	want := old.Digest()
	tab.Release(tab.Mark())
	tab.Put(Record{Key: numberedKey(1), Value: []byte("changed")})
	young := tab.Mark()
	wantYoung := young.Digest()
	tab.Delete(numberedKey(2))
	if old.Digest() != want || young.Digest() != wantYoung || want == wantYoung {
		t.Error("a view changed")
	}
	tab.Release(old)
	tab.Delete(numberedKey(3))
	if young.Digest() != wantYoung {
		t.Error("the younger view changed when the older was released")
	}
	tab.Release(young)
	tab.Delete(numberedKey(4))
	if tab.newest != nil {
		t.Error("the table still knows a released view")
	}
}

// TestResizeUnderView writes into what Resize returns while a View holds the old value, inline and in a blob.
func TestResizeUnderView(t *testing.T) {
	for _, size := range []int{100, 10_000} {
		for _, grow := range []int{-10, 0, 10, size} {
			tab := New(1)
			tab.Put(Record{Key: []byte("k"), Value: make([]byte, size)})
			view := tab.Mark()
			want := view.Digest()
			for round := range 2 { // the second one doesn't have to copy
				value, _, _ := tab.Resize([]byte("k"), size+grow, uint64(round))
				for i := range value {
					value[i] = 'x'
				}
			}
			if view.Digest() != want {
				t.Errorf("a value of %d bytes, resized by %d, changed in the view", size, grow)
			}
			if r, _ := tab.Get([]byte("k")); len(r.Value) != size+grow || r.Value[0] != 'x' || r.Value[size+grow-1] != 'x' {
				t.Errorf("a value of %d bytes, resized by %d, is %d bytes or lost what was written", size, grow, len(r.Value))
			}
			tab.Release(view)
		}
	}
}

// TestConcurrently runs readers, touchers and persisters against a writer, under the documented locks; for -race.
func TestConcurrently(t *testing.T) {
	const keys = 1500
	tab := New(1)
	numbered(tab, 0, keys, 64)
	var lock sync.RWMutex
	var stop atomic.Bool
	var wg sync.WaitGroup
	for reader := range 2 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(reader), 1))
			for !stop.Load() {
				lock.RLock()
				key := numberedKey(rnd.IntN(keys))
				if r, ok := tab.Get(key); ok && (string(r.Key) != string(key) || len(r.Value) > 0 && r.Value[0] != r.Value[len(r.Value)-1]) {
					t.Errorf("Get(%q) is torn", key)
				}
				tab.Touch(key, rnd.Uint32())
				tab.AccessOf(key)
				tab.Sample(rnd.Uint64(), 3, func(Record) {})
				tab.Scan(rnd.Uint64(), 3, func(Record) {})
				tab.NextDue()
				lock.RUnlock()
			}
		})
	}
	wg.Go(func() {
		for !stop.Load() {
			lock.Lock()
			view, want := tab.Mark(), tab.Digest()
			lock.Unlock()
			if view.Digest() != want {
				t.Error("a view differs from the table at its mark")
			}
			lock.Lock()
			tab.Release(view)
			lock.Unlock()
		}
	})
	rnd := rand.New(rand.NewPCG(9, 1))
	for i := range 2_000 {
		lock.Lock()
		writeSomething(tab, rnd, numberedKey(rnd.IntN(keys)), uint64(i))
		lock.Unlock()
	}
	stop.Store(true)
	wg.Wait()
	if err := tab.verify(); err != nil {
		t.Error(err)
	}
}

// writeSomething leaves values whose first and last bytes are equal.
func writeSomething(tab *Table, rnd *rand.Rand, key []byte, version uint64) {
	switch rnd.IntN(5) {
	case 0:
		tab.Delete(key)
	case 1:
		tab.SetDeadline(key, rnd.Int64N(3), version)
	case 2:
		if value, _, ok := tab.Resize(key, rnd.IntN(3000), version); ok {
			for i := range value {
				value[i] = byte(version)
			}
		}
	default:
		value := make([]byte, rnd.IntN(200))
		for i := range value {
			value[i] = byte(version)
		}
		tab.Put(Record{Key: key, Value: value, Version: version, Deadline: rnd.Int64N(2)})
	}
}

// TestAWriteMovesARecordThatAViewShares: nothing but the record is copied, unless the page would have to split for it; then its slab is.
func TestAWriteMovesARecordThatAViewShares(t *testing.T) {
	for name, c := range map[string]struct {
		keys, size int
		full       bool // the last slab
		copied     int
	}{
		"behind the last one":     {keys: 300, size: 64, copied: 0},
		"to a longer last slab":   {keys: 300, size: 64, full: true, copied: 0},
		"not among too many keys": {keys: maxKeys, size: 8, copied: 1},
		"not on a page of 128 KB": {keys: 520, size: 228, copied: 1},
	} {
		t.Run(name, func(t *testing.T) {
			tab := New(1)
			write := func(key int, b byte) {
				tab.Put(Record{Key: numberedKey(key), Value: bytes.Repeat([]byte{b}, c.size), Version: uint64(b)})
			}
			for i := range c.keys {
				write(i, 'a')
			}
			if p := tab.one[0]; c.full {
				p.alloc(len(p.frame(int(p.tail))) - p.tailUsed())
			}
			before, v := slabsOf(tab), tab.Mark()
			for range 2 { // the second write finds the slab copied or the record moved
				write(7, 'b')
				copied := 0
				for i, slab := range slabsOf(tab)[:len(before)-1] {
					if slab != before[i] {
						copied++
					}
				}
				if len(before) < 3 || copied != c.copied {
					t.Fatalf("%d of %d slabs were copied, want %d", copied, len(before), c.copied)
				}
			}
			for r := range v.All() {
				if r.Version != 'a' || r.Value[0] != 'a' {
					t.Fatalf("the View shows %q of version %d", r.Value, r.Version)
				}
			}
			after := slabsOf(tab)
			tab.Release(v)
			for i := range c.keys {
				write(i, 'c')
			}
			if !slices.Equal(after, slabsOf(tab)) {
				t.Error("slabs that nobody shares any more were copied")
			}
		})
	}
}

// TestWhatMovesLeaveBehindIsBounded writes everything over again and again, each time beside a View.
func TestWhatMovesLeaveBehindIsBounded(t *testing.T) {
	const keys, size = 20_000, 64
	tab := New(1)
	numbered(tab, 0, keys, size)
	least := tab.Physical()
	for round := range 50 {
		v, want := tab.Mark(), tab.Digest()
		numbered(tab, 0, keys, size)
		if v.Digest() != want {
			t.Fatal("the View has changed")
		}
		tab.Release(v)
		if most := least + least/4; tab.Physical() > most {
			t.Fatalf("%d bytes after %d rounds, of which %d were needed", tab.Physical(), round+1, least)
		}
	}
	if err := tab.verify(); err != nil {
		t.Error(err)
	}
}

// slabsOf are where the slabs of a table of one page are.
func slabsOf(tab *Table) (out []*byte) {
	for _, slab := range tab.one[0].slabs {
		out = append(out, &slab[0])
	}
	return out
}
