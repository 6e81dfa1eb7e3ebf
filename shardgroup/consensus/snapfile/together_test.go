package snapfile

import (
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/shardgroup/wal/crashdisk"
)

// held stops the first operation of a kind that is about a file, until the test lets it go on.
func held(d *crashdisk.Disk, op crashdisk.Op, name string) (reached, goOn chan struct{}) {
	reached, goOn = make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	d.SetHook(func(o crashdisk.Op, n string) error {
		if o == op && n == name && once.CompareAndSwap(false, true) {
			close(reached)
			<-goOn
		}
		return nil
	})
	return reached, goOn
}

// A snapshot that is taken and one that is installed end at the same time: both want to remove the one before. Found by the
// harness (slow-reader × snapshot-kill, seed 27): the node ended itself.
func TestTwoSnapshotsEndTogether(t *testing.T) {
	d := new(crashdisk.Disk)
	s, err := OpenOn(d)
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, 5, []byte("five"))
	taken, err := s.Create(1, 12, 3, servers, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	reached, goOn := held(d, crashdisk.Remove, name(5, 3)+suffix)
	closed := make(chan error)
	go func() { closed <- taken.Close() }()
	<-reached
	save(t, s, 15, []byte("fifteen"))
	close(goOn)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if m, data, err := newest(s); err != nil || m.Index != 15 || string(data) != "fifteen" {
		t.Errorf("the newest is %+v, %q, %v", m, data, err)
	}
}

// Whoever lists while a newer snapshot replaces the newest one gets the newer.
func TestListWhileASnapshotIsReplaced(t *testing.T) {
	d := new(crashdisk.Disk)
	s, err := OpenOn(d)
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, 5, []byte("five"))
	reached, goOn := held(d, crashdisk.Open, name(5, 3)+suffix)
	type result struct {
		list []*raft.SnapshotMeta
		err  error
	}
	listed := make(chan result)
	go func() {
		list, err := s.List()
		listed <- result{list, err}
	}()
	<-reached
	save(t, s, 12, []byte("twelve"))
	close(goOn)
	if r := <-listed; r.err != nil || len(r.list) != 1 || r.list[0].Index != 12 {
		t.Errorf("%+v, %v", r.list, r.err)
	}
}
