package table

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

func TestEmptyTables(t *testing.T) {
	var zero Table
	for what, tab := range map[string]*Table{"zero": &zero, "new": New(5)} {
		_, found := tab.Get([]byte("a"))
		_, due := tab.NextDue()
		_, accessed := tab.AccessOf(nil)
		_, _, resized := tab.Resize([]byte("a"), 3, 1)
		_, dated := tab.SetDeadline([]byte("a"), 3, 1)
		if found || due || accessed || resized || dated || tab.Delete(nil) != 0 || tab.Scan(0, 5, nil) != 0 || tab.Len() != 0 {
			t.Errorf("the %s table has keys", what)
		}
		if tab.Digest() != (Digest{}) || tab.Bytes() != 0 {
			t.Errorf("the %s table is %d bytes, digest %x", what, tab.Bytes(), tab.Digest())
		}
		if got := tab.Physical(); got > 128 {
			t.Errorf("the %s table takes %d bytes", what, got)
		}
	}
	zero.Put(Record{Key: []byte("a"), Value: []byte("b")})
	if got := zero.Physical(); got > 700 {
		t.Errorf("a table of one key takes %d bytes", got)
	}
	zero.Delete([]byte("a"))
	if got := zero.Physical(); got > 128 {
		t.Errorf("an emptied table takes %d bytes", got)
	}
}

// TestPutRefuses: what cannot be stored in full must not be stored in part.
func TestPutRefuses(t *testing.T) {
	for what, r := range map[string]Record{
		"kind":    {Key: []byte("k"), Kind: MaxKind + 1},
		"version": {Key: []byte("k"), Version: MaxVersion + 1},
	} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, what) {
					t.Errorf("a %s that is too high: panic %q", what, said)
				}
			}()
			New(1).Put(r)
		}()
	}
	tab := New(1)
	r := Record{Key: []byte("k"), Kind: MaxKind, Version: MaxVersion, Deadline: -1 << 63, Access: 1<<32 - 1}
	tab.Put(r)
	if got, _ := tab.Get(r.Key); got.Kind != r.Kind || got.Version != r.Version || got.Deadline != r.Deadline || got.Access != r.Access {
		t.Errorf("the highest record came back as %+v", got)
	}
}

// TestDigestSeesEverything changes each field in turn; what is not content must not count.
func TestDigestSeesEverything(t *testing.T) {
	base := Record{Key: []byte("key"), Value: []byte("value"), Kind: 1, Version: 2, Deadline: 3, Access: 4}
	digestOf := func(seed uint64, change func(*Record)) Digest {
		tab := New(seed)
		tab.Put(Record{Key: []byte("other")})
		r := base
		change(&r)
		tab.Put(r)
		return tab.Digest()
	}
	want := digestOf(1, func(*Record) {})
	for what, change := range map[string]func(*Record){
		"key":                 func(r *Record) { r.Key = []byte("Key") },
		"value":               func(r *Record) { r.Value = []byte("Value") },
		"end of the key":      func(r *Record) { r.Key, r.Value = []byte("keyv"), []byte("alue") },
		"swap":                func(r *Record) { r.Key, r.Value = r.Value, r.Key },
		"kind":                func(r *Record) { r.Kind++ },
		"version":             func(r *Record) { r.Version++ },
		"deadline":            func(r *Record) { r.Deadline++ },
		"no deadline":         func(r *Record) { r.Deadline = 0 },
		"version to deadline": func(r *Record) { r.Version, r.Deadline = 3, 2 },
	} {
		if digestOf(1, change) == want {
			t.Errorf("a change of the %s doesn't change the digest", what)
		}
	}
	if digestOf(1, func(r *Record) { r.Access++ }) != want {
		t.Error("access counts")
	}
	if digestOf(99, func(*Record) {}) != want {
		t.Error("the seed counts")
	}
}

// TestContentDecidesOrderAndDigest builds the same content along two ways: everything at once, and with growth, churn,
// deadlines that came and went and deletions in between.
func TestContentDecidesOrderAndDigest(t *testing.T) {
	straight, winding := New(11), New(11)
	numbered(straight, 0, 3000, 100)
	rnd := rand.New(rand.NewPCG(1, 2))
	numbered(winding, 0, 40_000, 100)
	for _, i := range rnd.Perm(40_000) {
		switch {
		case i >= 3000:
			winding.Delete(numberedKey(i))
		case i%3 == 0:
			winding.Put(Record{Key: numberedKey(i), Value: make([]byte, rnd.IntN(4000))})
			winding.SetDeadline(numberedKey(i), 5, 5)
		}
	}
	for _, i := range rnd.Perm(3000) {
		winding.Put(Record{Key: numberedKey(i), Value: make([]byte, 100)})
	}
	if err := winding.verify(); err != nil {
		t.Fatal(err)
	}
	if straight.Digest() != winding.Digest() || straight.Bytes() != winding.Bytes() || straight.Len() != winding.Len() {
		t.Error("equal content, unequal digest, size or length")
	}
	keys := func(tab *Table) (all []string) {
		for r := range tab.All() {
			all = append(all, string(r.Key))
		}
		return all
	}
	if !slices.Equal(keys(straight), keys(winding)) {
		t.Error("equal content in unequal order")
	}
	if a, b := straight.Physical(), winding.Physical(); b > 2*a {
		t.Errorf("after churn the same content takes %d bytes instead of %d", b, a)
	}
}

func TestIterationCanStop(t *testing.T) {
	tab := New(1)
	numbered(tab, 0, 5000, 100)
	for _, stop := range []int{1, 4000} {
		n := 0
		for range tab.All() {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("stopped at %d, want %d", n, stop)
		}
	}
}

// TestGrowAndShrink fills a slot and empties it again: memory must follow.
func TestGrowAndShrink(t *testing.T) {
	const keys = 100_000
	tab := New(1)
	numbered(tab, 0, keys, 30)
	if err := tab.verify(); err != nil {
		t.Fatal(err)
	}
	most := tab.Physical()
	for i := range keys - 100 {
		tab.Delete(numberedKey(i))
	}
	if err := tab.verify(); err != nil {
		t.Fatal(err)
	}
	if got := tab.Physical(); got > 100*200 || tab.Len() != 100 {
		t.Errorf("%d keys take %d bytes; it was %d with all", tab.Len(), got, most)
	}
}

// TestChurnStaysSmall overwrites with values of other sizes for long.
func TestChurnStaysSmall(t *testing.T) {
	tab := New(1)
	rnd := rand.New(rand.NewPCG(3, 4))
	value := make([]byte, 5000)
	for range 50_000 {
		size := rnd.IntN(200)
		if rnd.IntN(50) == 0 {
			size = rnd.IntN(len(value))
		}
		tab.Put(Record{Key: numberedKey(rnd.IntN(300)), Value: value[:size], Deadline: int64(rnd.IntN(2))})
		if phys, most := tab.Physical(), 2*tab.Bytes()+4096; phys > most {
			t.Fatalf("%d logical bytes take %d", tab.Bytes(), phys)
		}
	}
	if err := tab.verify(); err != nil {
		t.Fatal(err)
	}
}

// TestAppendIsAmortised counts what a row of small APPENDs allocates, inline and in a blob.
func TestAppendIsAmortised(t *testing.T) {
	tab := New(1)
	key := []byte("log")
	tab.Put(Record{Key: key})
	n := testing.AllocsPerRun(1, func() {
		for i := range 100_000 {
			value, _, _ := tab.Resize(key, i+1, uint64(i))
			value[i] = byte(i)
		}
	})
	if n > 100 {
		t.Errorf("100000 appends of a byte allocated %.0f times", n)
	}
	r, _ := tab.Get(key)
	for i, c := range r.Value {
		if c != byte(i) {
			t.Fatalf("byte %d is %d", i, c)
		}
	}
}

// TestBigValue stores the biggest Redis value, 512 MiB, beside small ones, and changes it under a View.
func TestBigValue(t *testing.T) {
	const size = 512 << 20
	tab := New(1)
	numbered(tab, 0, 100, 10)
	big := make([]byte, size)
	big[size-1] = 1
	if delta := tab.Put(Record{Key: []byte("big"), Value: big}); delta != size+3+Overhead {
		t.Errorf("delta %d", delta)
	}
	view := tab.Mark()
	tab.SetDeadline([]byte("big"), 9, 2)
	if r, ok := tab.Get([]byte("big")); !ok || !bytes.Equal(r.Value, big) || r.Deadline != 9 {
		t.Error("the big value is not what was put")
	}
	tab.Delete([]byte("big"))
	for r := range view.All() {
		if string(r.Key) == "big" && (len(r.Value) != size || r.Value[size-1] != 1 || r.Deadline != 0) {
			t.Error("the view's big value changed")
		}
	}
	tab.Release(view)
	if err := tab.verify(); err != nil {
		t.Fatal(err)
	}
}

// TestNoAllocations: the paths of cache hits.
func TestNoAllocations(t *testing.T) {
	tab := New(1)
	numbered(tab, 0, 1000, 64)
	big := Record{Key: []byte("big"), Value: make([]byte, 100_000)}
	tab.Put(big)
	key, value := numberedKey(5), make([]byte, 64)
	tab.SetDeadline(numberedKey(6), 1, 1)
	deadline := int64(1)
	for what, f := range map[string]func(){
		"Get":           func() { tab.Get(key) },
		"Touch":         func() { tab.Touch(key, 5); tab.AccessOf(key) },
		"overwrite":     func() { tab.Put(Record{Key: key, Value: value}) },
		"overwrite big": func() { tab.Put(big) },
		"same size":     func() { tab.Resize(key, 64, 7) },
		"deadline":      func() { deadline++; tab.SetDeadline(numberedKey6, deadline, 7); tab.NextDue() },
		"Scan":          func() { tab.Scan(12345678, 10, func(Record) {}) },
		"Sample":        func() { tab.Sample(5, 5, func(Record) {}); tab.SampleVolatile(5, 5, func(Record) {}) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %.0f times", what, n)
		}
	}
}

var numberedKey6 = numberedKey(6)

// TestEmptiedPage deletes all keys of one page of many; its sibling is too big to merge with.
func TestEmptiedPage(t *testing.T) {
	tab := New(1)
	numbered(tab, 0, 20_000, 100)
	empty := tab.dir[0]
	var doomed [][]byte
	for _, e := range empty.index {
		if e != 0 {
			doomed = append(doomed, bytes.Clone(empty.key(unitOf(e))))
		}
	}
	for _, key := range doomed {
		tab.Delete(key)
	}
	if err := tab.verify(); err != nil {
		t.Fatal(err)
	}
	if tab.dir[0].count != 0 {
		t.Fatal("the page is not empty: the test needs other sizes")
	}
	seen := 0
	tab.Sample(1, 200, func(r Record) { seen++ })
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		cursor = tab.Scan(cursor, 1000, func(Record) { seen++ })
	}
	if want := 200 + 20_000 - len(doomed); seen != want {
		t.Errorf("saw %d, want %d", seen, want)
	}
}

// TestCollisionsPanic: a page that cannot split must not overflow its units silently.
func TestCollisionsPanic(t *testing.T) {
	defer func() {
		if said := fmt.Sprint(recover()); !strings.Contains(said, "seed") {
			t.Errorf("panic %q, want one that speaks of the hash seed", said)
		}
	}()
	New(1).split(newPage(maxDepth, 0, 1), 0)
}

// TestResizeClears: what was cut off a value must not come back when it grows again where it is.
func TestResizeClears(t *testing.T) {
	for _, size := range []int{1000, 10_000} {
		tab := New(1)
		key := []byte("k")
		tab.Put(Record{Key: key, Value: bytes.Repeat([]byte("x"), size)})
		tab.Put(Record{Key: key, Value: make([]byte, size-100)})
		if value, _, _ := tab.Resize(key, size, 1); !bytes.Equal(value, make([]byte, size)) {
			t.Errorf("a value of %d bytes has old bytes after it grew", size)
		}
	}
}

// TestCompactsWhenAnEighthIsDead grows values again and again, so that each Put moves its record. Beside an eighth only what
// goes into the last slab may be dead; else a full page would run out of units.
func TestCompactsWhenAnEighthIsDead(t *testing.T) {
	tab := New(1)
	numbered(tab, 0, 900, 60)
	for round := range 10 {
		for i := range 900 {
			tab.Put(Record{Key: numberedKey(i), Value: make([]byte, 64+4*round)})
			if p := tab.dir[0]; p.dead > p.live/8+2*frameSize {
				t.Fatalf("%d bytes are alive, %d dead", p.live, p.dead)
			}
		}
	}
}

func TestBlobNumbersAreReused(t *testing.T) {
	tab := New(1)
	for _, size := range []int{5000, 5, 5000} { // few enough that nothing is compacted
		tab.Put(Record{Key: numberedKey(1), Value: make([]byte, size)})
		tab.Put(Record{Key: numberedKey(2), Value: make([]byte, size)})
	}
	if n := len(tab.dir[0].blobs); n != 2 {
		t.Errorf("2 blobs at a time use %d numbers", n)
	}
}

// TestCacheLines pins the sizes that the allocator aligns to cache lines, and what shares the first one.
func TestCacheLines(t *testing.T) {
	const line = 64
	if pageSize%line != 0 {
		t.Errorf("a page takes %d bytes, not whole cache lines", pageSize)
	}
	if end := unsafe.Offsetof(page{}.frames) + unsafe.Sizeof(page{}.near[0]); end > line {
		t.Errorf("what a lookup needs of a page ends at %d", end)
	}
	if end := unsafe.Offsetof(Table{}.depth) + 1; end > line-unsafe.Sizeof(sync.RWMutex{})-8 {
		t.Errorf("what a lookup needs of a table ends at %d, too far for a line with a lock and a few bytes", end)
	}
}
