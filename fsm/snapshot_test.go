package fsm_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// bytesOfSnapshot writes a snapshot of m into memory.
func bytesOfSnapshot(t testing.TB, m *fsm.Machine) []byte {
	t.Helper()
	s := m.Snapshot()
	defer s.Release()
	return written(t, s)
}

func written(t testing.TB, s *fsm.Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := s.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("WriteTo: %d bytes, %v; the buffer has %d", n, err, b.Len())
	}
	return b.Bytes()
}

// filled is a replica with keys in many slots, deadlines, limits and a large value that takes several frames.
func filled(t testing.TB, keys int) *replica {
	r := newReplica(t, slot.Range{First: 0, Last: 8191})
	g := &generator{rand.New(rand.NewPCG(5, 5))}
	w := &reply.Writer{Discard: true}
	r.apply(w, entry.Limit(entry.Limits{MaxMemory: 1 << 40, Policy: entry.AllKeysLFU, Samples: 9}))
	for i := range keys {
		key := fmt.Sprintf("key:%d", i)
		if slot.Of([]byte(key)) > 8191 {
			continue
		}
		r.do("SET", key, g.value())
		if i%3 == 0 {
			r.do("PEXPIREAT", key, fmt.Sprint(start+100_000+int64(g.IntN(1_000_000))))
		}
	}
	r.do("SET", "{b}", strings.Repeat("0123456789abcdef", 40_000)) // slot 3300
	r.do("SET", "{b}empty", "")
	return r
}

func TestSnapshotRoundTrip(t *testing.T) {
	r := filled(t, 2000)
	first := bytesOfSnapshot(t, r.m)
	back := newReplica(t)
	back.do("SET", "foo", "old state")
	if err := back.m.Restore(bytes.NewReader(first)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, bytesOfSnapshot(t, back.m)) {
		t.Error("snapshot, restore, snapshot gives other bytes")
	}
	expect(t, digestOf(back.m), digestOf(r.m))
	if a, b := r.m.Stats(), back.m.Stats(); a.Keys != b.Keys || a.Volatile != b.Volatile || a.Memory != b.Memory {
		t.Errorf("figures %+v became %+v", a, b)
	}
	dueA, _ := r.m.NextDue()
	dueB, ok := back.m.NextDue()
	if !ok || dueA != dueB || r.m.Limits() != back.m.Limits() || r.m.Now() != back.m.Now() {
		t.Errorf("due %d and %d, limits %+v and %+v, now %d and %d", dueA, dueB, r.m.Limits(), back.m.Limits(), r.m.Now(), back.m.Now())
	}
	if _, v := back.read(start, "GET", "foo"); v != fsm.NotOwned {
		t.Errorf("slot 12182 is not in the snapshot, verdict %d", v)
	}
	// Both go on as one: the same entries lead to the same state.
	back.index, back.now = r.index, r.now+150_000
	r.now = back.now
	for _, x := range []*replica{r, back} {
		x.do("APPEND", "{b}", "tail")
		x.do("INCR", "{b}n")
	}
	expect(t, digestOf(back.m), digestOf(r.m))
}

func TestSnapshotIsOfItsMoment(t *testing.T) {
	r := filled(t, 500)
	want := digestOf(r.m)
	early, late := r.m.Snapshot(), (*fsm.Snapshot)(nil)
	g := &generator{rand.New(rand.NewPCG(6, 6))}
	for i := range 2000 {
		if i == 1000 {
			late = r.m.Snapshot()
		}
		r.now += 100
		key := fmt.Sprintf("key:%d", g.IntN(500))
		if slot.Of([]byte(key)) <= 8191 {
			r.do(g.pick("SET", "APPEND"), key, g.value())
		}
	}
	r.do("FLUSHALL")
	back := newReplica(t)
	if err := back.m.Restore(bytes.NewReader(written(t, early))); err != nil {
		t.Fatal(err)
	}
	early.Release()
	expect(t, digestOf(back.m), want)
	if err := back.m.Restore(bytes.NewReader(written(t, late))); err != nil {
		t.Fatal(err)
	}
	late.Release()
	if back.m.Stats().Keys == 0 || digestOf(back.m) == want {
		t.Error("the second snapshot is not of its own moment")
	}
	if err := back.m.Restore(bytes.NewReader(bytesOfSnapshot(t, r.m))); err != nil || back.m.Stats().Keys != 0 {
		t.Errorf("snapshot after FLUSHALL: %v, %+v", err, back.m.Stats())
	}
}

// frameEnds lists where the frames of a snapshot end.
func frameEnds(b []byte) (ends []int) {
	for at := 0; at < len(b); {
		at += 5 + int(binary.LittleEndian.Uint32(b[at+1:])) + 4
		ends = append(ends, at)
	}
	return ends
}

func TestDamageIsNoticedInEveryFrame(t *testing.T) {
	r := newReplica(t, slot.Range{First: 3300, Last: 3302})
	for i := range 20 {
		r.do("SET", fmt.Sprintf("{b}%d", i), strings.Repeat("v", i*10), "EX", "1000")
	}
	r.do("SET", "{b}", strings.Repeat("x", 600_000))
	r.do("SET", tagsIn(slot.Range{First: 3302, Last: 3302}, 1)[0], "after an empty slot")
	good := bytesOfSnapshot(t, r.m)
	target := newReplica(t, slot.Range{First: 3300, Last: 3300})
	target.do("SET", "b", "old state")
	before := digestOf(target.m)
	try := func(what string, b []byte) {
		t.Helper()
		err := target.m.Restore(bytes.NewReader(b))
		if err == nil || !strings.Contains(err.Error(), "snapshot") {
			t.Fatalf("%s: error %v", what, err)
		}
		expect(t, digestOf(target.m), before)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	begin := 0
	ends := frameEnds(good)
	for i, end := range ends {
		for range 8 {
			at, bit := begin+rnd.IntN(end-begin), rnd.IntN(8)
			bad := bytes.Clone(good)
			bad[at] ^= 1 << bit
			try(fmt.Sprintf("frame %d: bit %d of byte %d flipped", i, bit, at), bad)
		}
		try(fmt.Sprintf("frame %d left out", i), append(bytes.Clone(good[:begin]), good[end:]...))
		try(fmt.Sprintf("frame %d twice", i), append(bytes.Clone(good[:end]), good[begin:]...))
		try(fmt.Sprintf("cut off before frame %d", i), good[:begin])
		try(fmt.Sprintf("cut off within frame %d", i), good[:end-1])
		begin = end
	}
	try("a byte more", append(bytes.Clone(good), 0))
	if len(ends) < 11 {
		t.Errorf("only %d frames were tried", len(ends))
	}
}

// resum repairs the checksums of a snapshot's frames, so that a test gets behind them.
func resum(b []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	begin := 0
	for _, end := range frameEnds(b) {
		binary.LittleEndian.PutUint32(b[end-4:], crc32.Checksum(b[begin:end-4], table))
		begin = end
	}
	return b
}

func TestRestoreSaysWhatIsWrong(t *testing.T) {
	r := newReplica(t, slot.Range{First: 3300, Last: 3300})
	r.do("SET", "b", "v", "EX", "1000")
	good := bytesOfSnapshot(t, r.m)
	ends := frameEnds(good) // header, slots, slot, data, slot end, trailer
	slots, slotBody, record := ends[0]+5, ends[1]+5, ends[2]+5
	for name, c := range map[string]struct {
		at   int
		to   byte
		want string
	}{
		"magic":          {5, 'X', "not a snapshot of quorate"},
		"format":         {5 + 7, 0, "not a snapshot"},
		"future format":  {5 + 8, 9, "snapshot format 9: this version reads format 3"},
		"group":          {5 + 9, 8, "digest"},
		"policy":         {5 + 9 + 44, 99, "policy 99"},
		"slots":          {slots + 3, 0xff, "slots 3300-65508 behind"},
		"slots turned":   {slots + 3, 0, "slots 3300-228 behind"},
		"slot state":     {slots + 4, 9, "slots 3300 have state 9"},
		"slot number":    {slotBody + 1, 0xff, "slot 65508"},
		"other slot":     {slotBody, 0, "slot 3072 with 1 keys, removed version 0: not among the group's slots"},
		"key count":      {slotBody + 2, 2, "data ends"},
		"no keys":        {slotBody + 2, 0, "slot 3300 with 0 keys"},
		"huge count":     {slotBody + 9, 0xff, "data ends"},
		"removed":        {slotBody + 10, 2, "removed version 2"},
		"kind":           {record, 31, "kind 31"},
		"version 0":      {record + 1, 0, "version 0"},
		"future version": {record + 1, 9, "version 9 of 1"},
		"deadline":       {record + 16, 0xff, "deadline -"},
		"key length":     {record + 24, 0xff, "key of"},
		"lying length":   {record + 28, 0x10, "data ends"},
		"foreign key":    {record + 29, 'a', "key of slot 15495"},
		"value":          {record + 30, 'w', "not what was written"},
	} {
		bad := bytes.Clone(good)
		bad[c.at] = c.to
		err := newReplica(t).m.Restore(bytes.NewReader(resum(bad)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	foreign := fsm.New(fsm.Genesis{Group: 8})
	if err := foreign.Restore(bytes.NewReader(good)); err == nil || !strings.Contains(err.Error(), "group 7") {
		t.Errorf("snapshot of another group: %v", err)
	}
}

// failAfter is a writer that takes n bytes.
type failAfter int

func (f *failAfter) Write(p []byte) (int, error) {
	n := min(len(p), int(*f))
	*f -= failAfter(n)
	if n < len(p) {
		return n, fmt.Errorf("disk full")
	}
	return n, nil
}

func TestWriteToReportsErrors(t *testing.T) {
	r := filled(t, 200)
	size := len(bytesOfSnapshot(t, r.m))
	for _, room := range []int{0, 10, size / 2, size - 1} {
		s := r.m.Snapshot()
		f := failAfter(room)
		if _, err := s.WriteTo(&f); err == nil {
			t.Errorf("room for %d of %d bytes: no error", room, size)
		}
		s.Release()
		r.do("SET", "{b}more", "goes on")
	}
}

func FuzzRestore(f *testing.F) {
	r := newReplica(f, slot.Range{First: 3300, Last: 3301})
	f.Add(bytesOfSnapshot(f, r.m))
	r.do("SET", "b", "v", "EX", "1000")
	r.do("SET", "{b}2", strings.Repeat("x", 300))
	f.Add(bytesOfSnapshot(f, r.m))
	f.Fuzz(func(t *testing.T, b []byte) {
		// With checksums as they came, and with right ones, so that the fuzzer gets behind them.
		for _, data := range [][]byte{b, resumAny(bytes.Clone(b))} {
			m := fsm.New(fsm.Genesis{Group: 7})
			if err := m.Restore(bytes.NewReader(data)); err != nil {
				continue
			}
			if !bytes.Equal(bytesOfSnapshot(t, m), data) {
				t.Error("accepted a snapshot that it would write otherwise")
			}
		}
	})
}

// resumAny is resum for bytes that may not be frames.
func resumAny(b []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	for at := 0; at+9 <= len(b); {
		size := int(binary.LittleEndian.Uint32(b[at+1:]))
		end := at + 5 + size
		if size > len(b) || end+4 > len(b) {
			break
		}
		binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[at:end], table))
		at = end + 4
	}
	return b
}

func TestReadersOfSnapshotsRestOften(t *testing.T) {
	const size = 10_000 * (64 + 8) // warm's keys and values, about
	for name, read := range map[string]func(*fsm.Snapshot){
		"digest": func(s *fsm.Snapshot) { s.Digest() },
		"write": func(s *fsm.Snapshot) {
			if _, err := s.WriteTo(io.Discard); err != nil {
				t.Error(err)
			}
		},
	} {
		s := warm(t).m.Snapshot()
		rests := 0
		s.Rest = func() { rests++ }
		read(s)
		s.Release()
		if least, most := size/(64<<10), size/(16<<10); rests < least || rests > most {
			t.Errorf("%s: %d rests in %d bytes, want %d to %d", name, rests, size, least, most)
		}
	}
}

// TestWritesBesideASnapshotCopyNoSlabs, which are of 8 KiB: behind a collection, Go's allocator takes 25 µs for each.
func TestWritesBesideASnapshotCopyNoSlabs(t *testing.T) {
	const slots, keys, perSlot = 32, 1000, 40
	r := newReplica(t, slot.Range{First: 0, Last: slot.Count - 1})
	tags := make([]string, slots)
	for i := range tags {
		tags[i] = fmt.Sprintf("{tag:%d}", i)
		for k := range keys {
			r.do("SET", tags[i]+strconv.Itoa(k), strings.Repeat("v", 64))
		}
	}
	slices.SortFunc(tags, func(a, b string) int { return int(slot.Of([]byte(b))) - int(slot.Of([]byte(a))) }) // those that are read last come first
	want := digestOf(r.m)
	s := r.m.Snapshot()
	defer s.Release()
	w := &reply.Writer{Discard: true}
	visited, allocated := 0, uint64(0)
	s.Rest = func() {
		if visited == slots/2 { // those that come now have been read
			return
		}
		for i := range perSlot {
			op := opOf(t, "SET", tags[visited]+strconv.Itoa(i*keys/perSlot), strings.Repeat("w", 64))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r.apply(w, op)
			runtime.ReadMemStats(&after)
			allocated += after.TotalAlloc - before.TotalAlloc
		}
		visited++
	}
	if got := s.Digest().String(); got != want {
		t.Errorf("the snapshot has digest %s, want %s", got, want)
	}
	if visited < slots/4 {
		t.Fatalf("only %d rests", visited)
	}
	// A page's own fields, its index and its last slab, which grows in steps, take 20 KiB, with -race 36. The slabs have 104 KiB.
	if each := allocated / uint64(visited); each > 48<<10 {
		t.Errorf("%d writes to each of %d slots allocated %d bytes per slot", perSlot, visited, each)
	}
}
