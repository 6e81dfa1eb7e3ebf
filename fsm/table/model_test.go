package table

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// stored is a record as the model keeps it.
type stored struct {
	value    string
	kind     uint8
	version  uint64
	deadline int64
	access   uint32
}

func storedOf(r Record) stored {
	return stored{string(r.Value), r.Kind, r.Version, r.Deadline, r.Access}
}

// model is a map that does what a Table does, and the Views that are live with what they must show.
type model struct {
	t     *Table
	keys  map[string]stored
	views []liveView
	clock uint64
}

type liveView struct {
	view *View
	want map[string]stored
	sum  Digest
}

func newModel(seed uint64) *model { return &model{t: New(seed), keys: map[string]stored{}} }

func (m *model) bytes() (n int64) {
	for k, s := range m.keys {
		r := Record{Key: []byte(k), Value: []byte(s.value), Deadline: s.deadline}
		n += r.logical()
	}
	return n
}

// step runs f on the table and checks the delta that it returns, and the layout, against the model.
func (m *model) step(t rapid.TB, what string, f func() (delta int64)) {
	t.Helper()
	before := m.bytes()
	delta := f()
	if want := m.bytes() - before; delta != want {
		t.Fatalf("%s returned a delta of %d, want %d", what, delta, want)
	}
	if err := m.t.verify(); err != nil {
		t.Fatalf("after %s: %v", what, err)
	}
}

func (m *model) next() uint64 { m.clock++; return m.clock }

func (m *model) put(t rapid.TB, r Record) {
	m.step(t, fmt.Sprintf("Put(%.20q, %d bytes)", r.Key, len(r.Value)), func() int64 {
		m.keys[string(r.Key)] = storedOf(r)
		return m.t.Put(r)
	})
}

func (m *model) delete(t rapid.TB, key string) {
	m.step(t, fmt.Sprintf("Delete(%.20q)", key), func() int64 {
		delete(m.keys, key)
		return m.t.Delete([]byte(key))
	})
}

func (m *model) setDeadline(t rapid.TB, key string, deadline int64) {
	version := m.next()
	m.step(t, fmt.Sprintf("SetDeadline(%.20q, %d)", key, deadline), func() int64 {
		s, had := m.keys[key]
		if had {
			s.deadline, s.version = deadline, version
			m.keys[key] = s
		}
		delta, ok := m.t.SetDeadline([]byte(key), deadline, version)
		if ok != had {
			t.Fatalf("SetDeadline(%.20q) says %v, want %v", key, ok, had)
		}
		return delta
	})
}

// resize fills what Resize adds with fill, after checking that it is zero.
func (m *model) resize(t rapid.TB, key string, size int, fill byte) {
	version := m.next()
	m.step(t, fmt.Sprintf("Resize(%.20q, %d)", key, size), func() int64 {
		s, had := m.keys[key]
		value, delta, ok := m.t.Resize([]byte(key), size, version)
		if ok != had {
			t.Fatalf("Resize(%.20q) says %v, want %v", key, ok, had)
		}
		if !had {
			return 0
		}
		kept := min(len(s.value), size)
		if string(value[:kept]) != s.value[:kept] || !bytes.Equal(value[kept:], make([]byte, size-kept)) {
			t.Fatalf("Resize(%.20q, %d) gave a value that is not the old one and zeros", key, size)
		}
		for i := kept; i < size; i++ {
			value[i] = fill
		}
		if size > 0 {
			value[0] = fill
		}
		s.value, s.version = string(value), version
		m.keys[key] = s
		return delta
	})
}

// same compares records with a model, access fields included if asked.
func same(t rapid.TB, what string, all func(func(Record) bool), want map[string]stored, access bool) {
	t.Helper()
	n := 0
	for r := range all {
		n++
		s, ok := want[string(r.Key)]
		got := storedOf(r)
		if !access {
			got.access = s.access
		}
		if !ok || got != s {
			t.Fatalf("%s: key %.20q is %.80v, want %.80v (there: %v)", what, r.Key, fmt.Sprint(got), fmt.Sprint(s), ok)
		}
	}
	if n != len(want) {
		t.Fatalf("%s: %d keys, want %d", what, n, len(want))
	}
}

// check compares everything that can be seen.
func (m *model) check(t rapid.TB) {
	t.Helper()
	if m.t.Len() != len(m.keys) || m.t.Bytes() != m.bytes() {
		t.Fatalf("Len %d, Bytes %d; want %d, %d", m.t.Len(), m.t.Bytes(), len(m.keys), m.bytes())
	}
	if err := m.t.verify(); err != nil {
		t.Fatal(err)
	}
	same(t, "table", m.t.All(), m.keys, true)
	for k, s := range m.keys {
		r, ok := m.t.Get([]byte(k))
		if !ok || string(r.Key) != k || storedOf(r) != s {
			t.Fatalf("Get(%.20q) = %.80v, %v; want %.80v", k, fmt.Sprint(storedOf(r)), ok, fmt.Sprint(s))
		}
	}
	for i, v := range m.views {
		m.checkView(t, i, v)
	}
}

func (m *model) checkView(t rapid.TB, i int, v liveView) {
	t.Helper()
	same(t, fmt.Sprintf("view %d of %d", i, len(m.views)), v.view.All(), v.want, false)
	if v.view.Len() != len(v.want) || v.view.Digest() != v.sum {
		t.Fatalf("view %d: Len %d, want %d; digest %x, want %x", i, v.view.Len(), len(v.want), v.view.Digest(), v.sum)
	}
}

func (m *model) mark(t rapid.TB) {
	v := liveView{m.t.Mark(), maps.Clone(m.keys), m.t.Digest()}
	m.views = append(m.views, v)
	if v.view.Bytes() != m.bytes() {
		t.Fatalf("View.Bytes %d, want %d", v.view.Bytes(), m.bytes())
	}
}

// release releases view i after a last look at it.
func (m *model) release(t rapid.TB, i int) {
	m.checkView(t, i, m.views[i])
	m.t.Release(m.views[i].view)
	m.views = slices.Delete(m.views, i, i+1)
}

// drain pops all keys that are due at now and checks their order.
func (m *model) drain(t rapid.TB, now int64, limit int) {
	want := slices.Collect(maps.Keys(m.keys))
	want = slices.DeleteFunc(want, func(k string) bool { return m.keys[k].deadline == 0 })
	slices.SortFunc(want, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.keys[a].deadline, m.keys[b].deadline), cmp.Compare(a, b))
	})
	if m.t.Volatile() != len(want) {
		t.Fatalf("Volatile %d, want %d", m.t.Volatile(), len(want))
	}
	for range limit {
		r, ok := m.t.NextDue()
		if ok != (len(want) > 0) || ok && string(r.Key) != want[0] {
			t.Fatalf("NextDue is %.20q, %v; want %.20q", r.Key, ok, want[:min(1, len(want))])
		}
		if !ok || r.Deadline > now {
			return
		}
		want = want[1:]
		key := string(r.Key)
		m.step(t, "Delete of the next due key", func() int64 {
			delete(m.keys, key)
			return m.t.Delete(r.Key)
		})
	}
}

func drawSize(t *rapid.T) int {
	return rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 300), rapid.IntRange(1900, 2100), rapid.IntRange(0, 20000)).Draw(t, "size")
}

func drawKey(t *rapid.T) string {
	n := rapid.IntRange(0, 40).Draw(t, "key")
	switch n % 10 {
	case 0:
		return fmt.Sprintf("long:%d:%s", n, bytes.Repeat([]byte("k"), 200+n))
	case 1:
		return fmt.Sprintf("huge:%d:%s", n, bytes.Repeat([]byte("K"), 2000+n))
	}
	return fmt.Sprintf("k%d", n)
}

// drawOld draws a key that is there, nine times out of ten.
func drawOld(t *rapid.T, m *model) string {
	if len(m.keys) == 0 || rapid.IntRange(0, 9).Draw(t, "new") == 0 {
		return drawKey(t)
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m.keys))).Draw(t, "old key")
}

func drawRecord(t *rapid.T, m *model) Record {
	return Record{
		Key:      []byte(drawKey(t)),
		Value:    bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, drawSize(t)),
		Kind:     rapid.Uint8Range(0, MaxKind).Draw(t, "kind"),
		Version:  m.next(),
		Deadline: drawDeadline(t),
		Access:   rapid.Uint32().Draw(t, "access"),
	}
}

func drawDeadline(t *rapid.T) int64 {
	return rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 20), rapid.Int64()).Draw(t, "deadline")
}

// TestAgainstMap runs random operations with up to four overlapping views.
func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(rapid.Uint64().Draw(t, "seed"))
		actions := map[string]func(*rapid.T){"": func(t *rapid.T) { m.check(t) }}
		maps.Copy(actions, m.writes())
		maps.Copy(actions, m.bulk())
		t.Repeat(actions)
	})
}

// writes are the operations on one key.
func (m *model) writes() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"put": func(t *rapid.T) { m.put(t, drawRecord(t, m)) },
		"overwrite": func(t *rapid.T) {
			r := drawRecord(t, m)
			r.Key = []byte(drawOld(t, m))
			m.put(t, r)
		},
		"copy": func(t *rapid.T) {
			r, ok := m.t.Get([]byte(drawOld(t, m)))
			if ok {
				s := storedOf(r)
				r.Key = []byte(drawKey(t))
				m.step(t, "Put of an alias", func() int64 {
					m.keys[string(r.Key)] = s
					return m.t.Put(r)
				})
			}
		},
		"delete":       func(t *rapid.T) { m.delete(t, drawOld(t, m)) },
		"set deadline": func(t *rapid.T) { m.setDeadline(t, drawOld(t, m), drawDeadline(t)) },
		"resize":       func(t *rapid.T) { m.resize(t, drawOld(t, m), drawSize(t), rapid.Byte().Draw(t, "fill")) },
		"append": func(t *rapid.T) {
			key := drawOld(t, m)
			m.resize(t, key, len(m.keys[key].value)+rapid.IntRange(0, 50).Draw(t, "bytes"), 'a')
		},
		"touch": func(t *rapid.T) {
			key, access := drawOld(t, m), rapid.Uint32().Draw(t, "access")
			m.t.Touch([]byte(key), access)
			s, had := m.keys[key]
			if had {
				s.access = access
				m.keys[key] = s
			}
			if got, ok := m.t.AccessOf([]byte(key)); ok != had || got != s.access {
				t.Fatalf("AccessOf(%.20q) = %d, %v; want %d, %v", key, got, ok, s.access, had)
			}
		},
	}
}

// bulk are the operations on many keys, and those with views.
func (m *model) bulk() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"put many": func(t *rapid.T) {
			from, size := rapid.IntRange(0, 500).Draw(t, "from"), drawSize(t)
			for i := range rapid.IntRange(0, 200).Draw(t, "keys") {
				m.t.Put(Record{Key: fmt.Appendf(nil, "many%d", from+i), Value: make([]byte, size)})
				m.keys[fmt.Sprint("many", from+i)] = stored{value: string(make([]byte, size))}
			}
		},
		"delete many": func(t *rapid.T) {
			from := rapid.IntRange(0, 500).Draw(t, "from")
			for i := range rapid.IntRange(0, 400).Draw(t, "keys") {
				m.t.Delete(fmt.Appendf(nil, "many%d", from+i))
				delete(m.keys, fmt.Sprint("many", from+i))
			}
		},
		"due": func(t *rapid.T) {
			m.drain(t, rapid.Int64Range(0, 20).Draw(t, "now"), rapid.IntRange(0, 50).Draw(t, "limit"))
		},
		"mark": func(t *rapid.T) {
			if len(m.views) < 4 {
				m.mark(t)
			}
		},
		"release": func(t *rapid.T) {
			if n := len(m.views); n > 0 {
				m.release(t, rapid.IntRange(0, n-1).Draw(t, "view"))
			}
		},
		"clear": func(t *rapid.T) {
			if rapid.IntRange(0, 9).Draw(t, "sure") == 0 {
				m.step(t, "Clear", func() int64 {
					before := m.t.Bytes()
					m.t.Clear()
					clear(m.keys)
					return -before
				})
			}
		},
	}
}
