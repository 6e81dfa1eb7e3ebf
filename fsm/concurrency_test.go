package fsm_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/fsm/entry"
	"github.com/quorate/quorate/fsm/reply"
	"github.com/quorate/quorate/fsm/slot"
)

// slotsOfK are a few slots around that of {k}, 7629.
var slotsOfK = slot.Range{First: 7620, Last: 7640}

// TestReadersSeeWholeSteps runs readers, samplers and snapshots beside the applying goroutine. Every entry changes two
// keys in one command or transaction; no reader may see one change without the other, or the counter go back.
func TestReadersSeeWholeSteps(t *testing.T) {
	r := newReplica(t, slotsOfK)
	r.apply(&reply.Writer{}, entry.Limit(entry.Limits{MaxMemory: 1 << 40, Policy: entry.AllKeysLFU, Samples: 5}))
	r.do("MSET", "{k}a", "0", "{k}b", "0")
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	for range 3 {
		wg.Go(func() { readPairs(t, r.m, &stop) })
	}
	wg.Go(func() { lookAround(t, r.m, &stop) })
	snapshots := make(chan *fsm.Snapshot)
	defer close(snapshots)
	wg.Go(func() {
		for s := range snapshots {
			checkPair(t, s)
		}
	})
	writePairs(t, r, snapshots)
}

func writePairs(t *testing.T, r *replica, snapshots chan<- *fsm.Snapshot) {
	w := &reply.Writer{Discard: true}
	for i := 1; i <= 1000; i++ {
		v := fmt.Sprint(i)
		r.now += 3
		if i%2 == 0 {
			r.apply(w, opOf(t, "MSET", "{k}a", v, "{k}b", v), opOf(t, "GET", "{k}a"))
		} else {
			r.apply(w, txOf(t, "SET {k}a "+v, "PEXPIRE {k}a 100000", "SET {k}b "+v))
		}
		r.apply(w, opOf(t, "SET", fmt.Sprintf("{k}x%d", i%300), strings.Repeat("v", i%50), "PX", "500"))
		if i%50 == 0 {
			snapshots <- r.m.Snapshot()
		}
	}
}

func readPairs(t *testing.T, m *fsm.Machine, stop *atomic.Bool) {
	last := 0
	for w := (&reply.Writer{}); !stop.Load(); w.Buf = w.Buf[:0] {
		ops := []entry.Op{opOf(t, "MGET", "{k}a", "{k}b"), opOf(t, "GET", "{k}a"), opOf(t, "GET", "k"), opOf(t, "GET", "{k}x7")}
		got := []fsm.Reading{{Machine: m, Ops: ops, Out: w}}
		if fsm.ReadAll(got); got[0].Stale || len(got[0].Ends) != len(ops) {
			t.Errorf("read %d of %d", len(got[0].Ends), len(ops))
		}
		lines := strings.Split(string(w.Buf), "\r\n")
		var n int
		fmt.Sscan(lines[2], &n)
		if lines[2] != lines[4] || n < last {
			t.Errorf("read %q after %d", w.Buf, last)
			return
		}
		last = n
	}
}

// lookAround does what else may run beside the applying goroutine.
func lookAround(t *testing.T, m *fsm.Machine, stop *atomic.Bool) {
	for seed := uint64(0); !stop.Load(); seed++ {
		m.Victims(1<<41, 5, m.Now(), seed)
		m.Stats()
		m.NextDue()
		if _, ok := m.SlotDigest(slotsOfK.First + uint16(seed%20)); !ok {
			t.Error("slot is not owned")
		}
		for _, line := range []string{"RANDOMKEY", "DBSIZE", "KEYS *", "OBJECT FREQ {k}a", "WATCH {k}a", "GET {k}x5"} {
			op := opOf(t, strings.Fields(line)...)
			m.Read(&op, m.Now(), &reply.Writer{})
		}
	}
}

func checkPair(t *testing.T, s *fsm.Snapshot) {
	defer s.Release()
	var b bytes.Buffer
	if _, err := s.WriteTo(&b); err != nil {
		t.Error(err)
		return
	}
	back := fsm.New(fsm.Genesis{Group: 7})
	if err := back.Restore(&b); err != nil {
		t.Error(err)
		return
	}
	op := opOf(t, "MGET", "{k}a", "{k}b")
	w := &reply.Writer{}
	back.Read(&op, 0, w)
	if lines := strings.Split(string(w.Buf), "\r\n"); lines[2] != lines[4] {
		t.Errorf("snapshot holds %q", w.Buf)
	}
}

// TestRestoreSwapsUnderReaders restores two states in turn; a reader sees one or the other.
func TestRestoreSwapsUnderReaders(t *testing.T) {
	var images [2][]byte
	for i := range images {
		r := newReplica(t, slotsOfK)
		r.do("MSET", "{k}a", fmt.Sprint(i), "{k}b", fmt.Sprint(i))
		images[i] = bytesOfSnapshot(t, r.m)
	}
	r := newReplica(t)
	if err := r.m.Restore(bytes.NewReader(images[0])); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	wg.Go(func() {
		for !stop.Load() {
			op := opOf(t, "MGET", "{k}a", "{k}b")
			w := &reply.Writer{}
			r.m.Read(&op, 0, w)
			if lines := strings.Split(string(w.Buf), "\r\n"); lines[2] != lines[4] {
				t.Errorf("read %q", w.Buf)
			}
		}
	})
	for i := range 20 {
		held := r.m.Snapshot()
		if err := r.m.Restore(bytes.NewReader(images[i%2])); err != nil {
			t.Fatal(err)
		}
		// A snapshot of the state before stays readable.
		if _, err := held.WriteTo(io.Discard); err != nil {
			t.Fatal(err)
		}
		held.Release()
	}
}
