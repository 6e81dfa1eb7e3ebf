package failstop

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

var errDisk = errors.New("EIO")

// brittle is a store whose writes and reads fail, or take as long as told.
type brittle struct {
	*raft.InmemStore
	err  error
	took time.Duration
}

func (b *brittle) StoreLogs(entries []*raft.Log) error {
	time.Sleep(b.took)
	if b.err != nil {
		return b.err
	}
	return b.InmemStore.StoreLogs(entries)
}

func (b *brittle) GetLog(index uint64, e *raft.Log) error {
	if b.err != nil {
		return b.err
	}
	return b.InmemStore.GetLog(index, e)
}

// started is a wrapped store, and the calls of fatal.
func started(inner *brittle) (*LogStore, *[]error) {
	var fatal []error
	return NewLatch(func(err error) { fatal = append(fatal, err) }).LogStore("store", inner, time.Second), &fatal
}

// allFail checks that the store does nothing more.
func allFail(t *testing.T, s *LogStore) {
	t.Helper()
	_, first := s.FirstIndex()
	_, last := s.LastIndex()
	for op, err := range map[string]error{
		"StoreLog": s.StoreLog(&raft.Log{Index: 2}), "StoreLogs": s.StoreLogs([]*raft.Log{{Index: 2}}),
		"DeleteRange": s.DeleteRange(1, 1), "GetLog": s.GetLog(1, new(raft.Log)), "FirstIndex": first, "LastIndex": last,
	} {
		if err == nil || errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("%s after the failure: %v", op, err)
		}
	}
}

func TestHealthyStoreIsTheStore(t *testing.T) {
	s, fatal := started(&brittle{InmemStore: raft.NewInmemStore()})
	for i := range uint64(3) {
		if err := s.StoreLog(&raft.Log{Index: i + 1, Term: 7}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteRange(1, 1); err != nil {
		t.Fatal(err)
	}
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	var e raft.Log
	if err := s.GetLog(3, &e); err != nil || e.Term != 7 || first != 2 || last != 3 {
		t.Errorf("holds %d-%d, entry 3 %+v, %v", first, last, e, err)
	}
	if err := s.GetLog(9, &e); !errors.Is(err, raft.ErrLogNotFound) || len(*fatal) != 0 {
		t.Errorf("missing entry: %v, fatal %v", err, *fatal)
	}
}

func TestFailedWriteIsNotTriedAgain(t *testing.T) {
	inner := &brittle{InmemStore: raft.NewInmemStore(), err: errDisk}
	s, fatal := started(inner)
	if err := s.StoreLogs([]*raft.Log{{Index: 1}}); !errors.Is(err, errDisk) {
		t.Fatalf("store: %v", err)
	}
	inner.err = nil // the disk says that it is fine again
	allFail(t, s)
	if last, _ := inner.LastIndex(); last != 0 {
		t.Errorf("the store was written to after it failed: last index %d", last)
	}
	if len(*fatal) != 1 || !errors.Is((*fatal)[0], errDisk) {
		t.Errorf("fatal calls %v, want one", *fatal)
	}
}

func TestUnreadableEntryIsFatal(t *testing.T) {
	s, fatal := started(&brittle{InmemStore: raft.NewInmemStore(), err: errors.New("bad msgpack")})
	if err := s.GetLog(1, new(raft.Log)); err == nil {
		t.Error("read")
	}
	allFail(t, s)
	if len(*fatal) != 1 {
		t.Errorf("fatal calls %v, want one", *fatal)
	}
}

// TestStall: fatal comes at the limit, not when the write ends, and the write is not acknowledged then.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &brittle{InmemStore: raft.NewInmemStore(), took: 999 * time.Millisecond}
		s, fatal := started(inner)
		if err := s.StoreLogs([]*raft.Log{{Index: 1}}); err != nil {
			t.Fatalf("slow, but within the limit: %v", err)
		}
		time.Sleep(time.Hour) // idle time does not count
		inner.took = time.Minute
		result := make(chan error)
		go func() { result <- s.StoreLogs([]*raft.Log{{Index: 2}}) }()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(*fatal) != 1 || !strings.Contains((*fatal)[0].Error(), "store did not end within 1s") {
			t.Errorf("fatal after 1 s: %v", *fatal)
		}
		if err := <-result; err == nil {
			t.Error("a write that took a minute was acknowledged")
		}
		allFail(t, s)
	})
}
