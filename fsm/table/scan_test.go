package table

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// numbered puts keys n… to n+count with values of size bytes.
func numbered(t *Table, from, count, size int) {
	for i := range count {
		t.Put(Record{Key: numberedKey(from + i), Value: make([]byte, size)})
	}
}

func numberedKey(i int) []byte { return fmt.Appendf(nil, "key:%d", i) }

// TestScanSeesWhatStays scans while the table grows, shrinks, moves to another replica by snapshot and gets marked
// between the calls: keys that are there all the time must be seen.
func TestScanSeesWhatStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := New(rapid.Uint64().Draw(t, "seed"))
		size := rapid.SampledFrom([]int{0, 100, 1500}).Draw(t, "size")
		stay := rapid.IntRange(0, 400).Draw(t, "stay")
		others := rapid.IntRange(0, 1500).Draw(t, "others")
		numbered(tab, 0, stay, size)
		if rapid.Bool().Draw(t, "shrink") {
			numbered(tab, stay, others, size)
		}
		seen := map[string]int{}
		for cursor, calls := uint64(0), 0; ; calls++ {
			before := len(seen)
			cursor = tab.Scan(cursor, rapid.IntRange(1, 300).Draw(t, "count"), func(r Record) { seen[string(r.Key)]++ })
			if cursor == 0 {
				break
			}
			if cursor >= 1<<CursorBits {
				t.Fatalf("cursor %#x has more than %d bits", cursor, CursorBits)
			}
			if len(seen) == before && calls > 2*(stay+others) {
				t.Fatalf("the scan goes on after %d calls", calls)
			}
			disturb(t, &tab, stay, others, size)
		}
		for i := range stay {
			if seen[string(numberedKey(i))] == 0 {
				t.Fatalf("key %d of %d was not seen", i, stay)
			}
		}
	})
}

// disturb changes all but the first stay keys, or the table's layout.
func disturb(t *rapid.T, tab **Table, stay, others, size int) {
	from, n := rapid.IntRange(stay, stay+others).Draw(t, "from"), rapid.IntRange(0, 1000).Draw(t, "n")
	switch rapid.IntRange(0, 4).Draw(t, "disturb") {
	case 0:
		numbered(*tab, from, n, size)
	case 1:
		for i := range n {
			(*tab).Delete(numberedKey(from + i))
		}
	case 2:
		restored := New((*tab).seed)
		for r := range (*tab).Mark().All() {
			restored.Put(r)
		}
		*tab = restored
	}
}

// TestScanOnce scans without changes: each key once, in the order of All, at most about as many per call as asked for.
func TestScanOnce(t *testing.T) {
	for _, keys := range []int{0, 1, 2, 300, 20_000} {
		tab := New(7)
		numbered(tab, 0, keys, 50)
		var order []string
		for r := range tab.All() {
			order = append(order, string(r.Key))
		}
		n := 0
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			calls := n
			cursor = tab.Scan(cursor, 10, func(r Record) {
				if n == len(order) || string(r.Key) != order[n] {
					t.Fatalf("%d keys: number %d is %q", keys, n, r.Key)
				}
				n++
			})
			if n-calls > 20 {
				t.Fatalf("%d keys: %d in one call of 10", keys, n-calls)
			}
		}
		if n != keys {
			t.Fatalf("saw %d of %d keys", n, keys)
		}
	}
}

func TestScanTakesAnyCursor(t *testing.T) {
	tab := New(7)
	numbered(tab, 0, 5000, 50)
	rapid.Check(t, func(t *rapid.T) {
		cursor := rapid.Uint64().Draw(t, "cursor")
		h := cursor << (64 - CursorBits)
		next := tab.Scan(cursor, 3, func(r Record) {
			unknown := 48 - tab.pageOf(h).depth // bits of the hash that the page's index doesn't have
			if got := tab.hash(r.Key); got>>unknown < h>>unknown {
				t.Fatalf("cursor %#x led back to hash %#x", cursor, got)
			}
		})
		if next != 0 && next <= cursor<<16>>16 {
			t.Fatalf("cursor %#x goes on at %#x", cursor, next)
		}
	})
}

// TestSampleIsFair draws many times and compares the counts with equal chances (chi squared).
func TestSampleIsFair(t *testing.T) {
	for _, keys := range []int{1, 2, 50, 5000} {
		tab := New(3)
		numbered(tab, 0, keys, 100)
		for i := 0; i < keys; i += 3 {
			tab.SetDeadline(numberedKey(i), int64(i+1), 1)
		}
		seen, volatile := map[string]int{}, map[string]int{}
		draws := 40 * keys
		tab.Sample(1, draws, func(r Record) { seen[string(r.Key)]++ })
		tab.SampleVolatile(2, draws, func(r Record) {
			if r.Deadline == 0 {
				t.Fatalf("SampleVolatile gave %q, which has no deadline", r.Key)
			}
			volatile[string(r.Key)]++
		})
		checkFair(t, fmt.Sprintf("Sample of %d", keys), seen, keys, draws)
		checkFair(t, fmt.Sprintf("SampleVolatile of %d", keys), volatile, (keys+2)/3, draws)
	}
}

// checkFair allows a spread of chances around 1/keys of 20 %, which pages of unequal fill give.
func checkFair(t *testing.T, what string, seen map[string]int, keys, draws int) {
	t.Helper()
	want := float64(draws) / float64(keys)
	var sum float64
	for _, n := range seen {
		sum += (float64(n) - want) * (float64(n) - want)
	}
	sum += float64(keys-len(seen)) * want * want
	if spread := math.Sqrt(sum / float64(keys)); spread > 4*math.Sqrt(want)/math.Sqrt(float64(keys))+math.Sqrt(want)+0.2*want {
		t.Errorf("%s: %.1f draws per key are spread by %.1f", what, want, spread)
	}
	if len(seen) < keys {
		t.Errorf("%s: %d of %d keys were drawn", what, len(seen), keys)
	}
}

// TestSampleOfSparse draws from tables in which nearly all was deleted, and where few keys have deadlines.
func TestSampleOfSparse(t *testing.T) {
	tab := New(3)
	tab.Sample(1, 5, func(r Record) { t.Errorf("an empty table gave %q", r.Key) })
	numbered(tab, 0, 20_000, 50)
	tab.SampleVolatile(1, 5, func(r Record) { t.Errorf("a table without deadlines gave %q", r.Key) })
	tab.SetDeadline(numberedKey(77), 5, 1)
	n := 0
	tab.SampleVolatile(1, 5, func(r Record) {
		n++
		if string(r.Key) != "key:77" {
			t.Errorf("SampleVolatile gave %q", r.Key)
		}
	})
	for i := range 19_999 {
		tab.Delete(numberedKey(i))
	}
	tab.Sample(1, 5, func(r Record) {
		n++
		if string(r.Key) != "key:19999" {
			t.Errorf("Sample gave %q", r.Key)
		}
	})
	if n != 10 {
		t.Errorf("%d draws, want 10", n)
	}
	if err := tab.verify(); err != nil {
		t.Error(err)
	}
}
