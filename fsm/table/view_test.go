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
	view := tab.Mark(nil)
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
	view := tab.Mark(nil)
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
	old := tab.Mark(nil)
	want := old.Digest()
	tab.Release(tab.Mark(nil))
	tab.Put(Record{Key: numberedKey(1), Value: []byte("changed")})
	young := tab.Mark(nil)
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
			view := tab.Mark(nil)
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
	var spares Spares
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
			view, want := tab.Mark(&spares), tab.Digest()
			lock.Unlock()
			if view.Digest() != want {
				t.Error("a view differs from the table at its mark")
			}
			lock.Lock()
			tab.Release(view)
			lock.Unlock()
			spares.Stock()
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

// TestAWriteCopiesOneSlabOfAPageThatAViewShares: into a spare slab where there is one; else the record moves while there is room behind the
// last, so that nothing is copied; else the slab is copied into new memory.
func TestAWriteCopiesOneSlabOfAPageThatAViewShares(t *testing.T) {
	for name, c := range map[string]struct {
		spares, room bool
		copied       int
	}{
		"into a spare slab":                   {spares: true, room: true, copied: 1},
		"into a spare slab, the page is full": {spares: true, room: false, copied: 1},
		"not at all, the record moves":        {spares: false, room: true, copied: 0},
		"into new memory, there is no room":   {spares: false, room: false, copied: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var spares Spares
			tab := New(1)
			const keys = 300
			for i := range keys {
				tab.Put(Record{Key: numberedKey(i), Value: bytes.Repeat([]byte{'a'}, 64), Version: 1})
			}
			if p := tab.one[0]; !c.room {
				p.alloc(len(p.frame(int(p.tail))) - p.tailUsed())
			}
			if c.spares {
				stocked(&spares, frameSize)
			}
			before, held, v := slabsOf(tab), spares.bytes, tab.Mark(&spares)
			for range 2 { // the second write finds the slab copied or the record moved
				tab.Put(Record{Key: numberedKey(7), Value: bytes.Repeat([]byte{'b'}, 64), Version: 2})
				copied := 0
				for i, slab := range slabsOf(tab) {
					if slab != before[i] {
						copied++
					}
				}
				if len(before) < 4 || copied != c.copied {
					t.Fatalf("%d of %d slabs were copied, want %d", copied, len(before), c.copied)
				}
			}
			if took := held - spares.bytes; c.spares != (took == frameSize) || !c.spares && took != 0 {
				t.Errorf("%d bytes of spare slabs were used", took)
			}
			for r := range v.All() {
				if r.Version != 1 || r.Value[0] != 'a' {
					t.Fatalf("the View shows %q of version %d", r.Value, r.Version)
				}
			}
			after := slabsOf(tab)
			tab.Release(v)
			for i := range keys {
				tab.Put(Record{Key: numberedKey(i), Value: bytes.Repeat([]byte{'c'}, 64), Version: 3})
			}
			if !slices.Equal(after, slabsOf(tab)) {
				t.Error("slabs that nobody shares any more were copied")
			}
		})
	}
}

// slabsOf are where the slabs of a table of one page are.
func slabsOf(tab *Table) (out []*byte) {
	for _, slab := range tab.one[0].slabs {
		out = append(out, &slab[0])
	}
	return out
}

// stocked makes spares have two slabs of a size.
func stocked(s *Spares, size int) {
	s.take(size)
	s.Stock()
}

// TestSlabsReturnWithTheLastViewThatHoldsThem: a slab that was copied is spare again when the View that held it and all
// older ones are released, and not before.
func TestSlabsReturnWithTheLastViewThatHoldsThem(t *testing.T) {
	for name, oldFirst := range map[string]bool{"the older View is released first": true, "the younger View is released first": false} {
		t.Run(name, func(t *testing.T) {
			var spares Spares
			tab := New(1)
			numbered(tab, 0, 300, 64)
			write := func() {
				for i := range 300 {
					tab.Put(Record{Key: numberedKey(i), Value: make([]byte, 64), Version: 9})
				}
			}
			full := 0
			for _, slab := range tab.one[0].slabs {
				if len(slab) == frameSize {
					full++
				}
			}
			var views [2]*View
			var want [2]Digest
			for i := range views {
				views[i], want[i] = tab.Mark(&spares), tab.Digest()
				for range full {
					stocked(&spares, frameSize)
				}
				write()
			}
			spares.Drop()
			order, kept := []int{0, 1}, []int{full, 2 * full}
			if !oldFirst {
				order, kept = []int{1, 0}, []int{0, 2 * full}
			}
			for step, i := range order {
				if views[i].Digest() != want[i] {
					t.Errorf("View %d has changed", i)
				}
				tab.Release(views[i])
				spoil(&spares)
				if got := len(spares.shelf(frameSize).slabs); got < kept[step] || kept[step] == 0 && got > 0 {
					t.Errorf("%d slabs are spare after release %d, want %d", got, step, kept[step])
				}
			}
			if err := tab.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStockMakesWhatIsAskedFor(t *testing.T) {
	var s Spares
	s.Stock()
	if s.bytes != 0 {
		t.Errorf("%d bytes though nobody asked", s.bytes)
	}
	for range 3 {
		s.take(frameSize)
		s.take(2 * spareUnit)
	}
	s.take(100) // a size that is not kept
	s.Stock()
	if want := 6 * (frameSize + 2*spareUnit); s.bytes != want {
		t.Errorf("%d bytes, want %d", s.bytes, want)
	}
	for range 10_000 {
		s.take(maxFrames * frameSize)
	}
	for range 2 * spareMost / spareStep {
		before := s.bytes
		if s.Stock(); s.bytes > spareMost || s.bytes > before+spareStep {
			t.Fatalf("%d bytes became %d", before, s.bytes)
		}
	}
	s.give([][]byte{make([]byte, frameSize), make([]byte, maxFrames*frameSize)})
	if s.bytes > spareMost {
		t.Errorf("%d bytes are held, the most is %d", s.bytes, spareMost)
	}
	s.Drop()
	for range 10_000 {
		s.lacking()
	}
	if s.Stock(); s.bytes != 0 {
		t.Errorf("%d bytes though nobody has asked for long", s.bytes)
	}
}
