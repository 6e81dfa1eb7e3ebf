package table

import (
	"bytes"
	"fmt"
	"testing"
)

// TestFetchFindsWhatFindFinds looks up present and absent keys of tables of all shapes together.
func TestFetchFindsWhatFindFinds(t *testing.T) {
	const seed = 9
	var looks []Look
	var want []Record
	var there []bool
	for n, keys := range []int{0, 1, 5, 300, 20_000} {
		tab := New(seed)
		for i := range keys {
			tab.Put(Record{Key: fmt.Append(nil, i), Value: bytes.Repeat([]byte{byte(i)}, i%300), Version: uint64(i), Deadline: int64(i % 3)})
		}
		tab.Put(Record{Key: []byte("huge"), Value: make([]byte, 5000*n)})
		if keys == 5 {
			for i := range keys {
				tab.Delete(fmt.Append(nil, i))
			}
		}
		for i := range 200 {
			key := fmt.Append(nil, i*keys/100)
			if i%50 == 0 {
				key = []byte("huge")
			}
			r, ok := tab.Get(key)
			looks, want, there = append(looks, tab.Look(seed, key)), append(want, r), append(there, ok)
		}
	}
	Fetch(looks)
	for i := range looks {
		p, ok := looks[i].Place()
		if !looks[i].Is(looks[i].key) || looks[i].Is([]byte("other")) {
			t.Fatalf("a look for %q does not know what it is for", looks[i].key)
		}
		if ok != there[i] {
			t.Fatalf("key %q: found %v, want %v", looks[i].key, ok, there[i])
		}
		if !ok {
			continue
		}
		if got := p.Record(); fmt.Sprint(got) != fmt.Sprint(want[i]) {
			t.Fatalf("key %q: %v, want %v", looks[i].key, got, want[i])
		}
	}
	for i := range looks {
		p, ok := looks[i].Place()
		if !ok {
			continue
		}
		p.Touch(uint32(i) + 7)
		if got, _ := looks[i].table.AccessOf(looks[i].key); got != uint32(i)+7 {
			t.Fatalf("key %q: access %d after a touch with %d", looks[i].key, got, i+7)
		}
	}
}
